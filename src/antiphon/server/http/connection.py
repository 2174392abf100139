"""HTTP/1.1 connections of clients, over httptools' parser, for uvicorn's server.

uvicorn opens, counts and ends the connections, and serves those that become WebSockets. Its own protocol for
HTTP takes more than twice the time of this one, and has no limits for slow or idle clients.

Non-streaming responses leave together, in the event loop's next iteration. Streams leave at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import unquote

import msgspec
import uvicorn
from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpRequestParser,
    parse_url,
)
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from antiphon.errors import InvalidRequest
from antiphon.net.writes import DeferredWrites
from antiphon.server.http.exchange import CLOSE, Exchange, Header, head
from antiphon.wire.errors import ErrorEnvelope
from antiphon.wire.json import JSON

log = logging.getLogger("antiphon.server")

_KEEP_ALIVE = 75
"""Seconds that a connection stays open without a request."""
_MAX_HEAD = 64 * 1024
"""Size limit of a request line with its headers, in bytes."""


class Alarms:
    """Callbacks that run after some seconds unless they are cancelled before.

    The alarms belong to the event loop that runs when the first alarm is set.
    """

    # Setting and canceling a timer of the event loop per request takes as long as decoding the request.

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Callable[[], None], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop

    def set(self, ring: Callable[[], None]) -> None:
        """Set an alarm that calls `ring`, which must not have another alarm."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._seconds, self._ring)
        self._due[ring] = self._loop.time() + self._seconds

    def cancel(self, ring: Callable[[], None]) -> None:
        """Cancel the alarm of `ring`, if it still has one."""
        self._due.pop(ring, None)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        rings: list[Callable[[], None]] = []
        for ring, time in self._due.items():  # In the order of their times.
            if time > now:
                self._timer = self._loop.call_at(time, self._ring)
                break
            rings.append(ring)
        for ring in rings:
            del self._due[ring]
        for ring in rings:
            ring()


def connections() -> Callable[..., "HttpConnection"]:
    """Return the function that creates the connections of one server."""
    return partial(HttpConnection, Alarms(_KEEP_ALIVE))


class HttpConnection(asyncio.Protocol):
    """A connection of a client.

    Pipelined requests wait until earlier requests have their responses.
    """

    def __init__(
        self,
        idle: Alarms,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, JSON],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.is_full = False
        self._idle = idle
        self._config = config
        self._app: ASGIApp = config.loaded_app
        self._server = server_state
        self._transport: asyncio.Transport
        self._addresses: dict[str, JSON] = {}
        self._parser: HttpRequestParser | None = HttpRequestParser(self)
        # Data after the last request of a connection is not an error.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._is_in_head = False
        self._head_size = 0
        self._url = b""
        self._headers: list[Header] = []
        self._expects_continue = False
        self._scope: Scope = {}
        self._current: Exchange | None = None
        self._read: Exchange | None = None
        """Exchange whose request is being received."""
        self._waiting: deque[Exchange] = deque()
        self._is_paused = False
        self._writes: DeferredWrites
        self._drained: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._writes = DeferredWrites(self.loop, self._transport)
        self._addresses = {
            "client": get_remote_addr(self._transport),
            "server": get_local_addr(self._transport),
        }
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn calls its `shutdown`.
        self._idle.set(self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the exchange in progress."""
        self._leave()
        self._parser = None
        self._waiting.clear()
        self.resume_writing()
        if self._current is not None:
            self._current.lose()

    def data_received(self, data: bytes) -> None:
        """Parse the data of one network read."""
        headers = self._headers
        while data and self._parser is not None:  # None while the connection is closing.
            try:
                self._parser.feed_data(data)
                break
            except HttpParserUpgrade as upgrade:
                data = self._change(data[upgrade.args[0] :])
            except HttpParserError as error:
                self._refuse(f"Invalid HTTP request: {_reason(error)}.")
        if self._is_in_head and self._headers is headers:  # The head began in an earlier read.
            self._head_size += len(data)
            if self._head_size > _MAX_HEAD:
                self._refuse(f"Request headers too large. Expected at most {_MAX_HEAD} bytes.")

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Note that the client has caught up, or has disconnected."""
        self.is_full = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def shutdown(self) -> None:
        """End the connection after the response in progress; called by uvicorn."""
        if self._current is None:
            self._end()
        else:
            self._current.keep_alive = False

    def on_message_begin(self) -> None:
        """Begin a request; called by the parser."""
        self._is_in_head, self._head_size = True, 0
        self._url, self._headers, self._expects_continue = b"", [], False

    def on_url(self, url: bytes) -> None:
        """Add a part of the URL; called by the parser."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; called by the parser."""
        name = name.lower()
        if name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin the exchange of the request, or queue it; called by the parser."""
        parser = self._parser
        assert parser is not None
        self._is_in_head = False
        version = parser.get_http_version()
        url = parse_url(self._url)
        path = url.path.decode("ascii")
        scope = self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "scheme": "http",
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "root_path": "",
            "headers": self._headers,
            "state": {},
            **self._addresses,
        }
        if parser.should_upgrade():
            return  # `_change` follows. The parser skips a body, if there is one.
        exchange = self._read = Exchange(
            self,
            scope,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            expects_continue=self._expects_continue,
        )
        if self._current is None:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            self.pause_reading()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body; called by the parser."""
        if self._read is not None:
            self._read.feed(body)

    def on_message_complete(self) -> None:
        """End the request; called by the parser."""
        if self._read is not None:
            self._read.end_body()
            self._read = None

    def headers(self) -> list[Header]:
        """Return the headers of every response."""
        return self._server.default_headers

    def write(self, pieces: list[bytes], *, at_once: bool) -> None:
        """Write pieces, at once or in the event loop's next iteration."""
        self._writes.add(pieces, at_once=at_once)

    async def drain(self) -> None:
        """Wait until the client has caught up, or has disconnected."""
        self._drained = self.loop.create_future()
        await self._drained

    def pause_reading(self) -> None:
        """Stop reading, so that the client has to wait."""
        if not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Continue reading, unless a request is queued."""
        if self._is_paused and not self._waiting:
            self._is_paused = False
            self._transport.resume_reading()

    def finish(self) -> None:
        """End an exchange with a complete response, and begin the next."""
        exchange, self._current = self._current, None
        assert exchange is not None
        self._server.total_requests += 1
        if not exchange.keep_alive:
            self.close()
        if self._transport.is_closing():
            return
        if self._waiting:
            self._begin(self._waiting.popleft())
        else:
            self._idle.set(self._end)
        self.resume_reading()

    def close(self) -> None:
        """End the connection after all data is written."""
        self._writes.flush()
        self._end()

    def leave(self, exchange: Exchange) -> None:
        """Remove the task of an exchange from those that uvicorn waits for."""
        assert exchange.task is not None
        self._server.tasks.discard(exchange.task)
        exchange.task = None  # The task refers to the exchange, too.

    def _begin(self, exchange: Exchange) -> None:
        self._idle.cancel(self._end)
        self._current = exchange
        exchange.task = self.loop.create_task(exchange.run(self._app))
        self._server.tasks.add(exchange.task)

    def _refuse(self, why: str) -> None:
        """Reject malformed HTTP, unless a response has begun, and end the connection."""
        log.warning("Rejected a connection: %s", why)
        self._parser = None
        if self._current is None or not self._current.has_begun:
            error = InvalidRequest(why)
            body = msgspec.json.encode(ErrorEnvelope(error.body()))
            about = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
            self.write([head(error.status, [*self.headers(), *about, CLOSE]), body], at_once=True)
        self.close()

    def _end(self) -> None:
        self._transport.close()

    def _leave(self) -> None:
        self._server.connections.discard(self)
        self._idle.cancel(self._end)

    def _change(self, rest: bytes) -> bytes:
        """Change the protocol to WebSocket; ignore requests for other protocols.

        Args:
            rest: Data after the request's headers.

        Returns:
            Data that the parser has to read next.
        """
        upgrades = [value.lower() for name, value in self._headers if name == b"upgrade"]
        if b"websocket" in upgrades and self._current is None:
            self._become_websocket(rest)
            return b""
        if not upgrades:
            self._refuse("Invalid HTTP request: this server isn't a proxy.")
            return b""
        # Java's client requests HTTP/2 in its first request, whose body the parser has skipped.
        self._headers = [header for header in self._headers if header[0] != b"upgrade"]
        return self._head() + rest

    def _become_websocket(self, rest: bytes) -> None:
        """Pass the connection to uvicorn's protocol, which reads the request again."""
        self._leave()
        self._parser = None
        protocol = self._config.ws_protocol_class(  # type: ignore[call-arg, misc]
            config=self._config, server_state=self._server, app_state={}
        )
        protocol.connection_made(self._transport)
        protocol.data_received(self._head() + rest)
        self._transport.set_protocol(protocol)

    def _head(self) -> bytes:
        """Return the head of the latest request."""
        lines = [b"%b %b HTTP/1.1" % (self._scope["method"].encode(), self._url)]
        lines += [b"%b: %b" % header for header in self._headers]
        return b"\r\n".join([*lines, b"", b""])


def _reason(error: HttpParserError) -> str:
    """Return the cause of a parser error."""
    # Our callbacks fail only for the target of a request.
    if isinstance(error, HttpParserCallbackError):
        return "its target is neither a path nor a URL"
    return str(error)
