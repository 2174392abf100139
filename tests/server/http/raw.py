"""Raw bytes for a server on a real socket, and its outcomes."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from tests.server.http.corpus.case import Case

QUIET = 40
"""Iterations of the event loop after which nothing more happens: client and server share it."""

Protocol = Callable[..., asyncio.Protocol]


class Echo:
    """An application that notes the requests of each connection.

    It answers with 200 after the whole body, with 413 before the body of `/early`, and in pieces for
    `/stream`. It accepts WebSockets and returns their texts.

    Attributes:
        seen: The requests by the port of their client.
    """

    def __init__(self) -> None:
        self.seen: dict[int, list[str]] = defaultdict(list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        status, body, more = 200, b"", True
        if scope["path"] == "/early":
            status, more = 413, False
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self._note(scope, scope["method"], body)
        is_stream = scope["path"] == "/stream"
        headers = [] if is_stream else [(b"content-length", b"1")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if is_stream:
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        self._note(scope, "WS", b"")
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self._note(scope, "FRAME", message["text"].encode())
            await send({"type": "websocket.send", "text": message["text"]})

    def _note(self, scope: Scope, method: str, body: bytes) -> None:
        headers = [name + b"=" + value for name, value in scope["headers"] if name.startswith(b"x")]
        parts = [method, target(scope), *(each.decode("latin-1") for each in headers)]
        if body:
            parts.append(f"[{body.decode('latin-1')}]" if len(body) < 40 else f"[{len(body)} bytes]")
        self.seen[scope["client"][1]].append(" ".join(parts))


def target(scope: Scope) -> str:
    """Return the path of a request as it was sent, with its query."""
    sent: bytes = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return sent.decode("latin-1")


class Client:
    """A client that sends what it is given and keeps what it gets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received = b""
        self.is_closed = False
        self.port: int = writer.get_extra_info("sockname")[1]
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader))

    async def send(self, piece: bytes) -> None:
        """Send a piece, if somebody reads it, and let the server answer."""
        if not self._writer.is_closing():
            self._writer.write(piece)
            await self._quiet()

    async def end(self) -> None:
        """Close the sending side."""
        if not self._writer.is_closing():
            self._writer.write_eof()
            await self._quiet()

    async def leave(self) -> None:
        """Go away."""
        self._writer.transport.abort()
        await self._reading

    async def _quiet(self) -> None:
        """Wait until nothing more happens."""
        left, received = QUIET, len(self.received)
        while left:
            await asyncio.sleep(0)
            left -= 1
            if len(self.received) != received:
                left, received = QUIET, len(self.received)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while piece := await reader.read(65536):
                self.received += piece
        except ConnectionError:
            pass
        self.is_closed = True


def outcome(seen: Iterable[str], client: Client) -> str:
    """Return an outcome as `Case` has it."""
    statuses = [status.decode() for status in re.findall(rb"HTTP/1\.[01] (\d{3})", client.received)]
    end = ["closed"] if client.is_closed else []
    return " ".join([*filter(None, [", ".join(seen)]), "->", *statuses, *end])


async def outcomes(protocol: Protocol, cases: Iterable[Case]) -> dict[str, str]:
    """Return the outcomes of cases, one after another, at a server with connections of one kind."""
    app, state, loop = Echo(), ServerState(), asyncio.get_running_loop()
    config = uvicorn.Config(app, lifespan="off", log_config=None, proxy_headers=False, ws="websockets-sansio")
    config.load()

    def connection() -> asyncio.Protocol:
        return protocol(config=config, server_state=state, app_state={})

    server = await loop.create_server(connection, "127.0.0.1", 0)
    found: dict[str, str] = {}
    for case in cases:
        client = Client(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        for piece in case.pieces:
            await client.send(piece)
        if case.ends:
            await client.end()
        found[case.name] = outcome(app.seen.pop(client.port, ()), client)
        await client.leave()
    server.close()
    for _ in range(QUIET):
        await asyncio.sleep(0)
    assert not state.tasks
    await server.wait_closed()
    return found
