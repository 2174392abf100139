"""A client for HTTP/1.1 as backends of models speak it; answers are read as they come.

Written here, over httptools' parser and aiohappyeyeballs, because it is the hot path: servers of models send
every token as an HTTP chunk of its own, and general clients run Python code for each of them. Here all that
one network read brought is one piece. `bench/upstream.py` measures it beside aiohttp.

There are no redirects, cookies, compression or proxies: a backend's address is where the API itself is.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import cast
from urllib.parse import quote, urlsplit

from aiohappyeyeballs import start_connection
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

_KEEP_ALIVE = 4.0
"""Seconds: shorter than the 5 s after which uvicorn, under vLLM and others, drops idle connections."""
_NEXT_ADDRESS = 0.25
"""Seconds after which another address of a host is tried, too (RFC 8305)."""
_MAX_HEAD = 64 * 1024
"""Bytes of an answer's status line and headers."""
_MAX_UNREAD = 256 * 1024
"""Bytes of a body that may wait to be read; the backend has to wait then."""
_PATH_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


class HttpError(Exception):
    """A request that got no whole answer. `begun` tells whether a part of the body has come."""

    begun = False


class ConnectError(HttpError):
    """No connection; `cause` says why."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class ConnectTimeout(HttpError):
    """No connection in time."""


class Silence(HttpError):
    """No bytes for too long."""


class Cut(HttpError):
    """The connection ended before the answer did."""


class NotHttp(HttpError):
    """What came is no HTTP."""


class Timeouts(Struct, frozen=True):
    """Seconds to connect, until the body begins, and between two reads from then on."""

    connect: float
    first_byte: float
    idle: float


class Origin(Struct, frozen=True):
    """Who is connected to."""

    host: str
    port: int
    is_tls: bool


class HttpClient:
    """Sends requests, over connections that are used again. Belongs to the running event loop.

    `headers` go with every request.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeouts: Timeouts
    ) -> "Answer":
        """Returns an answer as soon as its head has come. Raises `HttpError`."""
        origin, host, target = _parsed(url)
        connection = self._take(origin) or await self._connect(origin, timeouts.connect)
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
        for name, value in (self._headers | dict(headers)).items():
            lines.append(
                f"{name}: {' '.join(value.splitlines())}"
            )  # A key may come from a file of two lines.
        answer = Answer(connection, timeouts)
        whole = False
        try:
            connection.send(answer, "\r\n".join([*lines, "", ""]).encode() + body)
            await answer.head()
            whole = True
        finally:
            if not whole:
                answer.close()
        return answer

    async def close(self) -> None:
        """Ends all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.end()
        await asyncio.sleep(0)  # The event loop closes the sockets in its next turn.

    def give_back(self, connection: "_Connection") -> None:
        """Takes a connection whose answer is whole; the next request may use it."""
        connection.idle_since = connection.loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(_KEEP_ALIVE, self._sweep)

    def forget(self, connection: "_Connection") -> None:
        """Drops a connection that has ended."""
        self._open.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle is not None and connection in idle:
            idle.remove(connection)

    def _take(self, origin: Origin) -> "_Connection | None":
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.loop.time() - connection.idle_since < _KEEP_ALIVE:
                return connection
            connection.end()
        return None

    def _sweep(self) -> None:
        """Ends what has been idle for too long."""
        self._sweeper = None
        for idle in list(self._idle.values()):
            for connection in list(idle):
                if connection.loop.time() - connection.idle_since >= _KEEP_ALIVE:
                    idle.remove(connection)
                    connection.end()
                elif self._sweeper is None:
                    self._sweeper = connection.loop.call_later(_KEEP_ALIVE, self._sweep)

    async def _connect(self, origin: Origin, seconds: float) -> "_Connection":
        loop = asyncio.get_running_loop()
        connection = _Connection(self, origin, loop)
        if origin.is_tls and self._tls is None:
            self._tls = await asyncio.to_thread(_trusting)  # It reads all certificates of the system.
        try:
            async with asyncio.timeout(seconds) as limit:
                found = await loop.getaddrinfo(
                    origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
                connected = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop)
                await loop.create_connection(
                    lambda: connection,
                    sock=connected,
                    ssl=self._tls if origin.is_tls else None,
                    server_hostname=origin.host if origin.is_tls else None,
                )
        except OSError as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise ConnectTimeout from error
            raise ConnectError(error) from error
        self._open.add(connection)
        return connection


class _Connection(asyncio.Protocol):
    """A connection, and the answer that is coming over it."""

    def __init__(self, client: HttpClient, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.loop = loop
        self.idle_since = 0.0
        self._client = client
        self._answer: Answer | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.end()  # Nobody has asked for it.
        else:
            self._answer.take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.forget(self)
        if self._answer is not None:
            self._answer.lose(is_error=exc is not None)
            self._answer = None

    def send(self, answer: "Answer", request: bytes) -> None:
        """Sends a request whose answer is to come."""
        if self._transport.is_closing():
            raise Cut
        self._answer = answer
        self._transport.write(request)

    def finish(self, *, usable: bool) -> None:
        """Lets the answer go, which is whole. A request that is not all sent by then never will be."""
        self._answer = None
        if usable and not self._transport.is_closing() and not self._transport.get_write_buffer_size():
            self._client.give_back(self)
        else:
            self.end()

    def pause(self) -> None:
        """Stops to read."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Reads again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def end(self) -> None:
        """Closes the connection at once."""
        self._answer = None
        self._client.forget(self)
        self._transport.abort()


class Answer:
    """An answer. Its `headers` have names in lower case; of several of one name the last counts."""

    def __init__(self, connection: _Connection, timeouts: Timeouts) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.error: HttpError | None = None
        self._connection = connection
        self._timeouts = timeouts
        self._pieces: list[bytes] = []
        # The parser calls the list's own method: no Python code runs for an HTTP chunk.
        self.on_body = self._pieces.append
        self._parser: HttpResponseParser | None = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._waiter: asyncio.Future[None] | None = None
        self._read = 0
        self._unread = 0
        self._is_paused = False
        self._has_head = False
        self._has_begun = False
        self._is_whole = False
        self._is_reusable = False
        self._last = connection.loop.time()
        self._patience = timeouts.first_byte
        self._timer = connection.loop.call_later(self._patience, self._check)

    @property
    def content_type(self) -> str:
        """The type without its parameters, in lower case; empty where it is not told."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def head(self) -> None:
        """Waits for status and headers. Raises `HttpError`."""
        while not self._has_head and self.error is None:
            await self._wait()
        if not self._has_head and self.error is not None:
            raise self.error

    async def read(self) -> bytes:
        """Returns all that has come of the body since the last call, b"" at its end. Raises `HttpError`."""
        while not self._pieces:
            if self._is_whole:
                return b""
            if self.error is not None:
                raise self.error
            await self._wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0
        if self._is_paused:
            self._is_paused = False
            self._connection.resume()
        return data

    @property
    def is_whole(self) -> bool:
        """Whether the end of the body has come, read or not."""
        return self._is_whole

    def close(self) -> None:
        """Gives up what has not come yet, and with it the connection."""
        self._timer.cancel()
        if not self._is_whole:
            self._connection.end()
        self._parser = None

    def take(self, data: bytes) -> None:
        """Takes in what the network brought."""
        assert self._parser is not None
        self._last = self._connection.loop.time()
        problem: HttpError | None = None
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            problem = NotHttp("it changes the protocol")
        except HttpParserError as error:
            problem = NotHttp(str(error))
        if not self._has_head:
            self._read += len(data)
            if self._read > _MAX_HEAD:
                problem = NotHttp(f"its head is longer than {_MAX_HEAD} bytes")
        if self._is_whole:
            # What follows a whole answer belongs to nothing.
            self._end(usable=self._is_reusable and problem is None)
        elif problem is not None:
            self._fail(problem)
            self._connection.end()
        elif self._pieces:
            self._count(len(data))
        if self._has_head:
            self._wake()

    def lose(self, *, is_error: bool) -> None:
        """Notes that the connection has ended, which may well be how the body ends."""
        coding = self.headers.get("transfer-encoding", "").lower()
        until_close = self._has_head and "content-length" not in self.headers and "chunked" not in coding
        if until_close and not is_error:
            self._is_whole = True
            self._timer.cancel()
            self._parser = None
            self._wake()
        else:
            self._fail(Cut())

    def on_message_begin(self) -> None:
        """For the parser. A second answer is refused before any of it is taken for the first."""
        if self._is_whole:
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """For the parser. What comes after the body (trailers) is of no use."""
        if not self._has_head:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """For the parser."""
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._has_head = True
        else:  # "Continue" and the like: the answer itself is still to come.
            self.headers.clear()

    def on_message_complete(self) -> None:
        """For the parser."""
        if self._has_head:
            assert self._parser is not None
            self._is_whole = True
            self._is_reusable = self._parser.should_keep_alive()

    def _count(self, size: int) -> None:
        if not self._has_begun:
            # From the first byte on, silence is measured against the shorter limit.
            self._has_begun = True
            self._timer.cancel()
            self._patience = self._timeouts.idle
            self._timer = self._connection.loop.call_later(self._patience, self._check)
        self._unread += size
        if self._unread > _MAX_UNREAD and not self._is_paused:
            self._is_paused = True
            self._connection.pause()

    def _end(self, *, usable: bool) -> None:
        self._timer.cancel()
        self._parser = None
        self._connection.finish(usable=usable)

    def _fail(self, error: HttpError) -> None:
        if not self._is_whole and self.error is None:
            error.begun = self._has_begun
            self.error = error
        self._timer.cancel()
        self._parser = None
        self._wake()

    def _check(self) -> None:
        """Fails if nothing has come for too long while somebody waits; otherwise looks again later."""
        now = self._connection.loop.time()
        left = self._last + self._patience - now if self._waiter is not None else self._patience
        if left > 0:
            self._timer = self._connection.loop.call_later(left, self._check)
        else:
            self._fail(Silence())
            self._connection.end()

    async def _wait(self) -> None:
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@lru_cache(maxsize=256)
def _parsed(url: str) -> tuple[Origin, str, str]:
    """Returns who is connected to, the `Host` header and what is asked for."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    host = parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode()
    shown = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        shown += f":{parts.port}"
    target = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    if parts.query:
        target += "?" + quote(parts.query, safe=_PATH_CHARACTERS)
    return Origin(host, parts.port or (443 if is_tls else 80), is_tls), shown, target


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def reason(error: ConnectError) -> str:
    """Returns why there is no connection."""
    cause = error.cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause}"
    if cause.errno and not isinstance(cause, socket.gaierror | ssl.SSLError):
        return os.strerror(cause.errno)
    return cause.strerror or str(cause)
