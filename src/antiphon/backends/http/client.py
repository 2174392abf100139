"""An HTTP/1.1 client for model backends that reads responses while they arrive.

It uses httptools' parser and aiohappyeyeballs and not a general client, because this is the hot path: model
servers send every token as an HTTP chunk, and general clients run Python code for each chunk. Here, all bytes
of one network read are one part. `bench/upstream.py` compares it with aiohttp.

It has no redirects, cookies, compression or proxies: a backend's URL is that of the API itself.
"""

import asyncio
import socket
import ssl
from functools import lru_cache
from typing import cast
from urllib.parse import quote, urlsplit

from aiohappyeyeballs import start_connection
from msgspec import Struct

from antiphon.backends.http.answer import Answer, ConnectError, ConnectTimeout, Cut, Timeouts
from antiphon.net.writes import DeferredWrites

Headers = tuple[tuple[str, str], ...]
"""Pairs of names and values."""

_KEEP_ALIVE = 4.0
"""Seconds to keep idle connections, less than the 5 s of uvicorn (used by vLLM)."""
_NEXT_ADDRESS = 0.25
"""Seconds before the next address of a host is tried in parallel (RFC 8305)."""
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""TCP keep-alive: after 60 s of silence, a probe every 15 s, at most 4 times."""
_PATH_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


class Origin(Struct, frozen=True):
    """The endpoint of a connection."""

    host: str
    """An ASCII name or an IP address without brackets."""
    port: int
    """The TCP port."""
    is_tls: bool
    """Whether the connection uses TLS."""


class Target(Struct, frozen=True):
    """A reusable request without its body."""

    origin: Origin
    """The server."""
    head: bytes
    """The request line and headers, up to the value of `Content-Length`."""


class HttpClient:
    """A client that pools its connections; it belongs to the running event loop.

    Args:
        headers: Headers of every request.
    """

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    def target(self, method: str, url: str, headers: Headers) -> Target:
        """Return a target for any number of requests."""
        return _target(method, url, self._headers + headers)

    async def request(self, target: Target, body: bytes, timeouts: Timeouts) -> Answer:
        """Send a request; return the response as soon as its headers have arrived.

        Raises:
            HttpError: The connection or the response failed.
        """
        origin = target.origin
        connection = self._take(origin) or await self._connect(origin, timeouts.connect)
        answer = Answer(connection, timeouts)
        whole = False
        try:
            connection.send(answer, b"%b%d\r\n\r\n%b" % (target.head, len(body), body), timeouts.shortest)
            await answer.head()
            whole = True
        finally:
            if not whole:
                answer.close()
        return answer

    async def close(self) -> None:
        """Close all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.end()
        await asyncio.sleep(0)  # The event loop closes the sockets in its next iteration.

    def give_back(self, connection: "_Connection") -> None:
        """Keep a connection with a complete response for the next request."""
        connection.idle_since = connection.loop.time()
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(_KEEP_ALIVE, self._sweep)

    def forget(self, connection: "_Connection") -> None:
        """Remove a closed connection."""
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
        """Close the connections that were idle for too long."""
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
            self._tls = await asyncio.to_thread(_trusting)  # This loads all certificates of the system.
        try:
            async with asyncio.timeout(seconds) as limit:
                found = await loop.getaddrinfo(
                    origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
                )
                connected = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop)
                _probe(connected)
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
    """A connection and the response that arrives on it."""

    def __init__(self, client: HttpClient, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.loop = loop
        self.idle_since = 0.0
        self._client = client
        self._answer: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._writes: DeferredWrites

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._writes = DeferredWrites(self.loop, self._transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.end()  # No request is pending.
        else:
            self._answer.take(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        if self._answer is not None:
            self._answer.lose(is_error=exc is not None)
            self._answer = None

    def send(self, answer: "Answer", request: bytes, patience: float) -> None:
        """Send a request; after `patience` seconds, start to check for silence."""
        if self._transport.is_closing():
            raise Cut
        self._answer = answer
        self._writes.add([request])
        self._check_by(self.loop.time() + patience)

    def finish(self, *, usable: bool) -> None:
        """Release the complete response. A request that isn't fully sent by then stays so."""
        self._answer = None
        is_sent = self._writes.is_empty and not self._transport.get_write_buffer_size()
        if usable and is_sent and not self._transport.is_closing():
            self._client.give_back(self)
        else:
            self.end()

    def pause(self) -> None:
        """Stop reading the socket."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read the socket again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def end(self) -> None:
        """Close the connection at once."""
        self._answer = None
        self._let_go()
        self._transport.abort()

    def _check_by(self, time: float) -> None:
        """Check at `time` or earlier, with one timer for all calls, which costs less."""
        if self._timer is not None:
            if self._timer.when() <= time:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(time, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self.loop.time()
        if self._answer is not None and (seconds := self._answer.check(now)):
            self._check_by(now + seconds)

    def _let_go(self) -> None:
        self._client.forget(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@lru_cache(maxsize=256)
def _target(method: str, url: str, headers: Headers) -> Target:
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
    lines = [f"{method} {target} HTTP/1.1", f"Host: {shown}"]
    for name, value in headers:
        lines.append(f"{name}: {' '.join(value.splitlines())}")  # A key may come from a file of two lines.
    head = "\r\n".join([*lines, "Content-Length: "]).encode()
    return Target(Origin(host, parts.port or (443 if is_tls else 80), is_tls), head)


def _probe(connected: socket.socket) -> None:
    """Enable TCP keep-alive, which detects a dead host while no data arrives."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):  # Not every system has all of them.
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
