"""Answers over HTTP/1.1 as they come, and what can go wrong with them. For `http.py`."""

import asyncio
import os
import socket
import ssl
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

_MAX_HEAD = 64 * 1024
"""Bytes of an answer's status line and headers."""
_MAX_UNREAD = 256 * 1024
"""Bytes of a body that may wait to be read; the backend has to wait then."""


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

    @property
    def shortest(self) -> float:
        """Seconds for which a backend may always be silent."""
        return min(self.first_byte, self.idle)


def reason(error: ConnectError) -> str:
    """Returns why there is no connection."""
    cause = error.cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause}"
    if cause.errno and not isinstance(cause, socket.gaierror | ssl.SSLError):
        return os.strerror(cause.errno)
    return cause.strerror or str(cause)


class Connection(Protocol):
    """What an answer comes over."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop to which it belongs."""
        ...

    def finish(self, *, usable: bool) -> None:
        """Lets the answer go, which is whole; a connection that is `usable` may carry another."""
        ...

    def pause(self) -> None:
        """Stops to read."""
        ...

    def resume(self) -> None:
        """Reads again."""
        ...

    def end(self) -> None:
        """Closes the connection at once."""
        ...


class Answer:
    """An answer, which `is_whole` when the end of its body has come, read or not.

    Its `headers` have names in lower case; of several of one name the last counts.
    """

    __slots__ = (
        "_connection",
        "_has_begun",
        "_has_head",
        "_is_paused",
        "_is_reusable",
        "_last",
        "_parser",
        "_patience",
        "_pieces",
        "_read",
        "_timeouts",
        "_unread",
        "_waiter",
        "error",
        "headers",
        "is_whole",
        "on_body",
        "status",
    )

    def __init__(self, connection: Connection, timeouts: Timeouts) -> None:
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
        self.is_whole = False
        self._is_reusable = False
        self._last = connection.loop.time()
        self._patience = timeouts.first_byte

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
            if self.is_whole:
                return b""
            if self.error is not None:
                raise self.error
            await self._wait()
        data = self.rest()
        if self._is_paused:
            self._is_paused = False
            self._last = self._connection.loop.time()  # Until now the silence was ours.
            self._connection.resume()
        return data

    def rest(self) -> bytes:
        """Returns what has come of the body and was not read."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0
        return data

    def close(self) -> None:
        """Gives up what has not come yet, and with it the connection."""
        if not self.is_whole:
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
        if self.is_whole:
            # What follows a whole answer belongs to nothing.
            self._parser = None
            self._connection.finish(usable=self._is_reusable and problem is None)
        elif problem is not None:
            self._fail(problem)
            self._connection.end()
        elif self._pieces:
            self._count(len(data))
        if self._has_head:
            self._wake()

    def check(self, now: float) -> float:
        """Fails if nothing has come for too long while somebody waits.

        Returns the seconds after which to look again: as long as the limit may become a shorter one, at the
        latest when that would be reached. 0: it has failed.
        """
        shortest = self._timeouts.shortest
        if self._waiter is None:
            return shortest
        left = self._last + self._patience - now
        if left > 0:
            return min(left, shortest)
        self._fail(Silence())
        self._connection.end()
        return 0.0

    def lose(self, *, is_error: bool) -> None:
        """Notes that the connection has ended, which may well be how the body ends."""
        coding = self.headers.get("transfer-encoding", "").lower()
        until_close = self._has_head and "content-length" not in self.headers and "chunked" not in coding
        if until_close and not is_error:
            self.is_whole = True
            self._parser = None
            self._wake()
        else:
            self._fail(Cut())

    def on_message_begin(self) -> None:
        """For the parser. A second answer is refused before any of it is taken for the first."""
        if self.is_whole:
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
            self.is_whole = True
            self._is_reusable = self._parser.should_keep_alive()

    def _count(self, size: int) -> None:
        if not self._has_begun:
            # From the first byte on, silence is measured against the shorter limit.
            self._has_begun = True
            self._patience = self._timeouts.idle
        self._unread += size
        if self._unread > _MAX_UNREAD and not self._is_paused:
            self._is_paused = True
            self._connection.pause()

    def _fail(self, error: HttpError) -> None:
        if not self.is_whole and self.error is None:
            error.begun = self._has_begun
            self.error = error
        self._parser = None
        self._wake()

    def _wait(self) -> asyncio.Future[None]:
        """Returns what is done when something has come."""
        waiter = self._waiter = self._connection.loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
