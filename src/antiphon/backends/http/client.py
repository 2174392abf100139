"""An HTTP/1.1 client for model backends that reads responses while they arrive.

It uses httptools' parser and aiohappyeyeballs and not a general client, because this is the hot path: model
servers send every token as an HTTP chunk, and general clients run Python code for each chunk. Here, all bytes
of one network read are one part. `bench/upstream.py` compares it with aiohttp.

It has no redirects, cookies, proxies or HTTP/2: a backend's URL is that of the API itself, and
`LibraryClient` has the other two.

A response must never reach another request. HTTP/1.1 has no ids, so a client can't tell a second response to
the last request from the response to the next one. Therefore, a connection rests before its next use, it is
checked at its next use, and a backend that sends too much loses its connections (`bench/unruly.py`).
"""

import asyncio
import logging
import select
import socket
import ssl
from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import cast

from aiohappyeyeballs import start_connection

from antiphon.backends.http.answer import Answer, Timeouts
from antiphon.backends.http.errors import ConnectError, ConnectTimeout, Unanswered
from antiphon.backends.http.target import Origin, Target
from antiphon.net.writes import DeferredWrites

_log = logging.getLogger("antiphon.models")

_KEEP_ALIVE = 4.0
"""Seconds to keep idle connections, less than the 5 s of uvicorn (used by vLLM)."""
_NEXT_ADDRESS = 0.25
"""Seconds before the next address of a host is tried in parallel (RFC 8305)."""
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""TCP keep-alive: after 60 s of silence, a probe every 15 s, at most 4 times."""
_LONG = 100_000
"""The bytes of a body from which it isn't copied beside its head; a shorter one leaves in the same packet."""
_REST = 0.01
"""Seconds between a response and the next use of its connection, in which surplus data is noticed."""
_DISTRUST = 60.0
"""Seconds without reuse of connections to a server that has sent surplus data."""
_idle_since = attrgetter("idle_since")


def trusted_tls() -> ssl.SSLContext:
    """Return a context that trusts the system's certificate authorities."""
    return ssl.create_default_context()


class HttpClient:
    """A client that pools its connections; it belongs to the running event loop.

    Args:
        tls: Returns the TLS context; called once, in a thread, before the first connection that needs it.
        unix_socket: The path of the socket of all connections, instead of TCP.
    """

    def __init__(
        self, tls: Callable[[], ssl.SSLContext] = trusted_tls, unix_socket: str | None = None
    ) -> None:
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._unix_socket = unix_socket
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._distrusted: dict[Origin, float] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    async def request(self, target: Target, body: bytes, timeouts: Timeouts) -> Answer:
        """Send a request; return the response as soon as its headers have arrived.

        A request is sent again, once and over a new connection, only if a kept connection ended before the
        first byte of the response.

        Raises:
            HttpError: The connection or the response failed.
        """
        head = b"%b%d\r\n\r\n" % (target.head, len(body))
        request = [head, body] if len(body) > _LONG else [head + body]
        kept = self._take(target.origin)
        if kept is not None:
            try:
                return await _exchange(kept, request, timeouts)
            except Unanswered:
                pass
        return await _exchange(await self._connect(target.origin, timeouts.connect), request, timeouts)

    @property
    def calls_in_progress(self) -> int:
        """The number of responses that are awaited or arriving."""
        return len(self._open) - sum(map(len, self._idle.values()))

    async def close(self) -> None:
        """Close all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._open):
            connection.end()
        await asyncio.sleep(0)  # The event loop closes the sockets in its next iteration.

    def give_back(self, connection: "_Connection") -> None:
        """Keep a connection with a complete response for the next request."""
        now = connection.loop.time()
        if self._distrusted and self._distrusted.get(connection.origin, 0.0) > now:
            connection.end()
            return
        connection.idle_since = now
        self._idle.setdefault(connection.origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = connection.loop.call_later(_KEEP_ALIVE, self._sweep)

    def distrust(self, connection: "_Connection") -> None:
        """Close a connection with surplus data, and keep none to its server for a while."""
        origin, now = connection.origin, connection.loop.time()
        if self._distrusted.get(origin, 0.0) <= now:
            _log.warning(
                "Received data that answers no request, using each connection once: %s:%d",
                origin.host,
                origin.port,
            )
        self._distrusted[origin] = now + _DISTRUST
        for each in (connection, *self._idle.get(origin, ())):
            each.end()

    def forget(self, connection: "_Connection") -> None:
        """Remove a closed connection."""
        self._open.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle is not None and connection in idle:
            idle.remove(connection)

    def _take(self, origin: Origin) -> "_Connection | None":
        """Return a kept connection that has rested, has no surplus data and is still open."""
        idle = self._idle.get(origin)
        if not idle:
            return None
        now = idle[0].loop.time()
        # They are in the order of `idle_since`. The latest that has rested is used, so that others expire.
        for position in reversed(range(bisect_right(idle, now - _REST, key=_idle_since))):
            connection = idle.pop(position)
            if now - connection.idle_since < _KEEP_ALIVE and connection.is_quiet():
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
        try:
            async with asyncio.timeout(seconds) as limit:
                if origin.is_tls and self._tls is None:
                    # In a thread, because it loads all certificates of the system.
                    self._tls = await asyncio.to_thread(self._make_tls)
                    self._tls.set_alpn_protocols(["http/1.1"])
                tls, name = (self._tls, origin.host) if origin.is_tls else (None, None)
                if self._unix_socket is not None:
                    await loop.create_unix_connection(
                        lambda: connection, self._unix_socket, ssl=tls, server_hostname=name
                    )
                else:
                    connected = await _connected(origin, loop)
                    await loop.create_connection(
                        lambda: connection, sock=connected, ssl=tls, server_hostname=name
                    )
        except OSError as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise ConnectTimeout from error
            raise ConnectError(error) from error
        self._open.add(connection)
        return connection


async def _connected(origin: Origin, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Return a connected TCP socket."""
    found = await loop.getaddrinfo(
        origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    connected = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, loop=loop)
    _probe(connected)
    return connected


async def _exchange(connection: "_Connection", request: list[bytes], timeouts: Timeouts) -> Answer:
    """Send a request over a connection; return the response once its headers have arrived."""
    answer = Answer(connection, timeouts)
    whole = False
    try:
        connection.send(answer, request, timeouts.shortest)
        await answer.head()
        whole = True
    finally:
        if not whole:
            await answer.close()
    return answer


class _Connection(asyncio.Protocol):
    """A connection and the response that arrives on it."""

    def __init__(self, client: HttpClient, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.origin = origin
        self.loop = loop
        self.idle_since = 0.0
        self._is_overrun = False
        self._client = client
        self._answer: Answer | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._writes: DeferredWrites

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._writes = DeferredWrites(self.loop, self._transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is not None and self._writes.is_empty:
            self._answer.take(data)
        else:
            self.overrun()  # The next request, if any, isn't sent yet.

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        if self._answer is not None:
            self._answer.lose(is_error=exc is not None)
            self._answer = None

    def send(self, answer: "Answer", request: list[bytes], patience: float) -> None:
        """Send the pieces of a request; after `patience` seconds, start to check for silence."""
        if self._transport.is_closing():
            raise Unanswered(is_premature=self._is_overrun)
        self._answer = answer
        self._writes.add(request)
        self._check_by(self.loop.time() + patience)

    def finish(self, *, usable: bool) -> None:
        """Release the complete response. A request that isn't fully sent by then stays so."""
        self._answer = None
        is_sent = self._writes.is_empty and not self._transport.get_write_buffer_size()
        if usable and is_sent and not self._transport.is_closing():
            self._client.give_back(self)
        else:
            self.end()

    def overrun(self) -> None:
        """Close the connection, on which data has arrived that answers no request."""
        answer, self._answer = self._answer, None
        self._is_overrun = True
        self._client.distrust(self)
        if answer is not None:
            answer.fail(Unanswered(is_premature=True))

    def is_quiet(self) -> bool:
        """Return whether the connection is open and has no data, by one system call."""
        if self._transport.is_closing():
            return False
        number = self._transport.get_extra_info("socket").fileno()
        if not hasattr(select, "poll"):  # Windows has only `select`.
            return not select.select([number], [], [], 0)[0]
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return not poll.poll(0)

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


def _probe(connected: socket.socket) -> None:
    """Enable TCP keep-alive, which detects a dead host while no data arrives."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):  # Not every system has all of them.
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
