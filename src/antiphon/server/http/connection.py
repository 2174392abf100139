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

import uvicorn
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from antiphon.errors import InvalidRequest
from antiphon.net.writes import DeferredWrites
from antiphon.server.http.alarms import SendTimeout, Timers
from antiphon.server.http.exchange import Exchange, Header
from antiphon.server.http.head import (
    MAX_HEAD,
    MAX_HEADERS,
    TOO_LARGE,
    as_bytes,
    check_coding,
    check_size,
    check_version,
    new_parser,
    opens_websocket,
    reason,
    refusal,
    request_scope,
)
from antiphon.wire.json import JSON

log = logging.getLogger("antiphon.server")

_MAX_REST = 256 * 1024 * 1024
"""Bytes that may arrive after the response to their request, or after malformed HTTP."""


def connections(send_timeout: float = 60.0) -> Callable[..., "HttpConnection"]:
    """Return the function that creates the connections of a server; `send_timeout` is in seconds."""
    return partial(HttpConnection, Timers(send_timeout))


class HttpConnection(asyncio.Protocol):
    """A connection of a client.

    Pipelined requests wait until earlier requests have their responses.
    """

    def __init__(
        self,
        timers: Timers,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, JSON],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.is_full = False
        self._timers = timers
        self._config = config
        self._app: ASGIApp = config.loaded_app
        self._server = server_state
        self._transport: asyncio.Transport
        self._addresses: dict[str, JSON] = {}
        self._parser: HttpRequestParser | None = new_parser(self)
        self._is_in_head = self._expects_continue = self._is_lingering = self._is_paused = False
        self._url = b""
        self._headers: list[Header] = []
        self._hosts = self._trailers = self._read_size = 0
        self._has_progress = False
        """Whether a request began in this network read, or a piece of a body arrived."""
        self._overhead = 0
        """Size of the reads since the last that had progress."""
        self._scope: Scope = {}
        self._current: Exchange | None = None
        self._read: Exchange | None = None
        """Exchange whose request is being received."""
        self._waiting: deque[Exchange] = deque()
        self._refusal: str | None = None
        """Reason to reject data that follows the requests in progress."""
        self._rest: int | None = None
        """Bytes that may still arrive, once the server no longer needs them."""
        self._writes: DeferredWrites
        self._sending: SendTimeout
        self._drained: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._writes = DeferredWrites(self.loop, self._transport)
        self._sending = SendTimeout(self._timers.send, self._transport)
        self._addresses = {
            "client": get_remote_addr(self._transport),
            "server": get_local_addr(self._transport),
        }
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn calls its `shutdown`.
        self._timers.idle.set(self._end)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the exchange in progress."""
        self._leave()
        self._parser = None
        self._waiting.clear()
        self.resume_writing()
        self._sending.end()
        if self._current is not None:
            self._current.lose()

    def eof_received(self) -> bool:
        """Return whether the connection stays open, for responses to complete requests.

        A disconnect looks like the end of the sending side alone. Therefore, the connection stays open for a
        moment only, and not after the start of a response.
        """
        self._writes.flush()
        current = self._current
        if current is None or current.has_begun or self._is_in_head or self._read or self._is_lingering:
            return False
        last = self._waiting[-1] if self._waiting else current
        last.keep_alive = False
        self._timers.half_closed.set(self._end)
        return True

    def data_received(self, data: bytes) -> None:
        """Parse the data of one network read."""
        if self._rest is not None:
            self._rest -= len(data)
            if self._rest < 0:
                self._end()
                return
        self._read_size = len(data)
        self._has_progress = False
        while data and self._parser is not None:  # None while the connection is closing.
            try:
                self._parser.feed_data(data)
                break
            except HttpParserUpgrade as upgrade:
                data = self._change(data[upgrade.args[0] :])
            except HttpParserError as error:
                self._refuse(reason(error))
        if self._is_in_head or self._read is not None:
            self._check_overhead()

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        self.is_full = True
        self._sending.begin()

    def resume_writing(self) -> None:
        """Note that the client has caught up, or has disconnected."""
        self.is_full = False
        if not self._transport.is_closing():
            self._sending.end()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def shutdown(self) -> None:
        """End the connection soon, but answer the requests that are on their way; called by uvicorn."""
        self._timers.idle.cancel(self._end)
        self._timers = self._timers.stopping
        if self._current is None:
            self._timers.idle.set(self._end)
        elif self._current.only_watches:
            self._end()
        elif not self._current.has_begun:
            self._current.keep_alive = False

    def on_message_begin(self) -> None:
        """Begin a request; called by the parser."""
        self._is_in_head = self._has_progress = True
        self._overhead = self._trailers = self._hosts = 0
        self._url, self._headers, self._expects_continue = b"", [], False

    def on_url(self, url: bytes) -> None:
        """Add a part of the URL; called by the parser."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header, or count a trailer, which is ignored; called by the parser."""
        if not self._is_in_head:
            self._trailers += len(name) + len(value) + 4
            if self._trailers > MAX_HEAD:
                raise InvalidRequest(TOO_LARGE)
            if name.lower() == b"connection" and self._read is not None:
                self._read.keep_alive = False  # The parser obeys a `close` here, too.
            return
        name, value = name.lower(), value.rstrip(b" \t")  # The parser strips the start.
        if name == b"host":
            self._hosts += 1
        elif name == b"transfer-encoding":
            check_coding(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin the exchange of the request, or queue it; called by the parser."""
        parser = self._parser
        assert parser is not None
        self._is_in_head = False
        if len(self._headers) > MAX_HEADERS or self._overhead + self._read_size > MAX_HEAD:
            check_size(self._url, self._headers)
        version = parser.get_http_version()
        if version != "1.1" or self._hosts != 1:
            check_version(version, self._hosts)
        scope = self._scope = request_scope(parser, version, self._url, self._addresses)
        scope["headers"] = self._headers
        if parser.should_upgrade():
            return  # `_change` follows. The parser skips a body, if there is one.
        is_new = version == "1.1"
        exchange = self._read = Exchange(
            self,
            scope,
            keep_alive=is_new and parser.should_keep_alive() and not self._timers.is_stopping,
            expects_continue=is_new and self._expects_continue,
        )
        if self._current is None:
            self._begin(exchange)
        else:
            self._waiting.append(exchange)
            self.pause_reading()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body; called by the parser."""
        self._has_progress = True
        self._overhead = 0
        if self._read is not None:
            self._read.feed(body)

    def on_message_complete(self) -> None:
        """End the request; called by the parser."""
        if self._read is not None:
            self._read.end_body()
            self._read = None
            if self._rest is not None:  # Its response has left before.
                self._rest = None
                self._timers.linger.cancel(self._end)
                self._timers.idle.set(self._end)

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
            return
        if self._transport.is_closing():
            return
        if self._waiting:
            self._begin(self._waiting.popleft())
        elif self._refusal is not None:
            self._reject(self._refusal)
            return
        elif self._read is exchange:
            self._rest = _MAX_REST
            self._timers.linger.set(self._end)
        else:
            self._timers.idle.set(self._end)
            if not self._is_in_head:  # The connection may stay idle for long.
                self._headers, self._scope = [], {}
        self.resume_reading()

    def close(self) -> None:
        """End the connection after all data is written."""
        self._writes.flush()
        if self._read is not None:
            self._linger()
        elif not self._is_lingering:
            self._end()

    def leave(self, exchange: Exchange) -> None:
        """Remove the task of an exchange from those that uvicorn waits for."""
        assert exchange.task is not None
        self._server.tasks.discard(exchange.task)
        exchange.task = None  # The task refers to the exchange, too.

    def _begin(self, exchange: Exchange) -> None:
        self._timers.idle.cancel(self._end)
        self._current = exchange
        exchange.task = self.loop.create_task(exchange.run(self._app))
        self._server.tasks.add(exchange.task)

    def _check_overhead(self) -> None:
        """Reject an incomplete request with too much data outside of its body."""
        if not self._has_progress:
            self._overhead += self._read_size
        if self._overhead > MAX_HEAD or (self._is_in_head and len(self._headers) > MAX_HEADERS):
            self._refuse(TOO_LARGE)

    def _refuse(self, why: str) -> None:
        """Reject malformed HTTP after earlier requests have their responses, and end the connection."""
        log.warning("Rejected a connection: %s", why)
        self._parser, self._is_in_head = None, False
        self._url, self._headers, self._scope = b"", [], {}
        broken, self._read = self._read, None
        if broken is None and self._current is None:
            self._reject(why)
        elif broken is not None and broken is self._current:
            self._current = None
            broken.lose()
            if broken.has_begun:
                self._end()
            else:
                self._reject(why)
        elif self._current is None:  # The broken request has its response.
            self._end()
        else:
            if broken is not None:
                self._waiting.pop()
            self._refusal = why
            self._rest = _MAX_REST

    def _reject(self, why: str) -> None:
        self.write(refusal(why, self.headers()), at_once=True)
        self._linger()

    def _linger(self) -> None:
        """Let the client read the response: unread data would reset the connection."""
        self._parser = self._read = self._current = None
        if self._is_lingering or self._transport.is_closing():
            return
        self._is_lingering = True
        self._rest = _MAX_REST
        self._waiting.clear()
        self._timers.idle.cancel(self._end)
        self._timers.linger.set(self._end)
        self.resume_reading()
        self._transport.write_eof()

    def _end(self) -> None:
        self._transport.close()
        self._sending.begin()

    def _leave(self) -> None:
        self._server.connections.discard(self)
        self._timers.cancel(self._end)

    def _change(self, rest: bytes) -> bytes:
        """Change the protocol to WebSocket; ignore requests for other protocols.

        Return the data that the parser has to read next; `rest` follows the request's headers.
        """
        if self._current is None and opens_websocket(self._scope):
            self._become_websocket(rest)
            return b""
        headers = [header for header in self._headers if header[0] != b"upgrade"]
        if len(headers) == len(self._headers):
            self._refuse("this server isn't a proxy")
            return b""
        # Java's client requests HTTP/2 in its first request, whose body the parser has skipped.
        self._parser = new_parser(self)
        return as_bytes(self._scope, self._url, headers) + rest

    def _become_websocket(self, rest: bytes) -> None:
        """Pass the connection to the protocol for WebSockets, which reads the request again."""
        from antiphon.server.http.websocket import WebSocketConnection  # Loads a library.

        self._parser = None
        protocol = WebSocketConnection(self._config, self._server, self._timers)
        if protocol.take(self._transport, as_bytes(self._scope, self._url, self._headers), rest):
            self._leave()
            self._transport.set_protocol(protocol)
        else:
            self._refuse("its WebSocket handshake is malformed")
