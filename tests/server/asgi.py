"""Calls of an ASGI application without a socket."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import cast

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Scope

from antiphon.observe.record import Record
from antiphon.server.edge.state import ServerState, begin_request
from antiphon.service.services import Services
from antiphon.wire.json import JSON


def scope(
    method: str = "GET",
    path: str = "/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    raw_headers: Iterable[tuple[bytes, bytes]] = (),
) -> Scope:
    """Return the scope of an HTTP request with `headers`, followed by `raw_headers`."""
    named = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    named.extend(raw_headers)
    made: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": named,
        "server": ("127.0.0.1", 8321),
        "scheme": "http",
    }
    begin_request(made, Record(method, path))
    return made


def server(*, limit: int = 100, **services: object) -> ServerState:
    """Return the state of a server whose only services are `services`."""
    given = {"sealing": None, "idempotency": None, **services}
    return ServerState(services=cast(Services, SimpleNamespace(**given)), max_body_bytes=limit)


def request(given: Scope, *pieces: bytes, path: Mapping[str, str] | None = None, limit: int = 100) -> Request:
    """Return a request whose body arrives in `pieces`; `path` are its path parameters."""
    app = SimpleNamespace(state=server(limit=limit))
    waiting = messages(pieces)

    async def receive() -> Message:
        return next(waiting)

    return Request({**given, "app": app, "path_params": dict(path or {})}, receive)


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of a server for a request body, followed by the disconnect of the client."""
    for piece in pieces:
        yield {"type": "http.request", "body": piece, "more_body": True}
    yield {"type": "http.request", "body": b"", "more_body": False}
    while True:
        yield {"type": "http.disconnect"}


class Answer:
    """Messages that an application has sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def json(self) -> JSON:
        return msgspec.json.decode(b"".join(message.get("body", b"") for message in self.sent[1:]))


async def run(app: ASGIApp, given: Scope, answer: Answer) -> None:
    """Run `app` for a request without a body whose client waits for the answer."""
    begun = False

    async def receive() -> Message:
        nonlocal begun
        if begun:
            await asyncio.Event().wait()
        begun = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answer.sent.append(message)

    await app(given, receive, send)


def called(app: ASGIApp, given: Scope) -> Answer:
    """Return the answer of `app`."""
    answer = Answer()
    asyncio.run(run(app, given, answer))
    return answer
