"""Requests to an application in another thread, without a socket."""

import asyncio
import threading
from collections.abc import Iterator

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.testing.transport import AppTransport

SEEN: list[Scope] = []


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in another thread."""
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


def client(app: ASGIApp, loop: asyncio.AbstractEventLoop) -> httpx2.Client:
    return httpx2.Client(transport=AppTransport(app, loop), base_url="http://server")


def head(status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]}


def piece(body: bytes, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Return the request's body and path."""
    SEEN.append(scope)
    message = await receive()
    await send(head(201))
    await send(piece(message["body"]))
    await send(piece(scope["raw_path"] + b"?" + scope["query_string"], more=False))


def test_requests_and_responses_arrive_whole(loop: asyncio.AbstractEventLoop) -> None:
    with client(echo, loop) as opened:
        answer = opened.post("/a%2Fb?c=d", content=b"body ", headers={"X-Name": "value"})
    assert (answer.status_code, answer.text) == (201, "body /a%2Fb?c=d")
    assert answer.headers["content-type"] == "text/plain"
    assert SEEN[-1]["path"] == "/a/b"
    assert (b"x-name", b"value") in SEEN[-1]["headers"]


def test_an_asynchronous_client_uses_its_own_event_loop(loop: asyncio.AbstractEventLoop) -> None:
    async def ask() -> str:
        async with httpx2.AsyncClient(transport=AppTransport(echo, loop), base_url="http://server") as opened:
            return (await opened.post("/x", content=b"body ")).text

    assert asyncio.run(ask()) == "body /x?"


def test_a_stream_arrives_before_the_application_ends(loop: asyncio.AbstractEventLoop) -> None:
    read = threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await send(head())
        await send(piece(b"first"))
        await asyncio.to_thread(read.wait, 20)
        await send(piece(b"second", more=False))

    with client(slow, loop) as opened, opened.stream("GET", "/") as answer:
        pieces = answer.iter_bytes()
        assert next(pieces) == b"first"
        read.set()
        assert next(pieces) == b"second"


def test_a_client_that_closes_a_stream_disconnects(loop: asyncio.AbstractEventLoop) -> None:
    received: list[Message] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(head())
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send(piece(b"more"))
            await asyncio.sleep(0)
        received.append(gone.result())

    with client(endless, loop) as opened, opened.stream("GET", "/") as answer:
        assert next(answer.iter_bytes()) == b"more"
    assert received == [{"type": "http.disconnect"}]


def test_an_exception_of_the_application_reaches_the_client(loop: asyncio.AbstractEventLoop) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("broken")

    with client(broken, loop) as opened, pytest.raises(LookupError, match="broken"):
        opened.get("/")
