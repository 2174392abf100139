"""HTTP/1.1 responses that are read while they arrive."""

import asyncio
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from antiphon.backends.http.errors import Cut, HttpError, NotHttp, Silence, Unanswered

_MAX_HEAD = 64 * 1024
"""Size limit in bytes of the status line and headers."""
_MAX_UNREAD = 256 * 1024
"""The most unread bytes of a body; beyond it the client stops reading the socket."""


class Timeouts(Struct, frozen=True):
    """Time limits in seconds."""

    connect: float
    """To connect."""
    first_byte: float
    """Until the body begins."""
    idle: float
    """Between two reads after that."""

    @property
    def shortest(self) -> float:
        """The longest silence that is allowed at any time."""
        return min(self.first_byte, self.idle)


class Connection(Protocol):
    """The connection that a response arrives on."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of the connection."""
        ...

    def finish(self, *, usable: bool) -> None:
        """Release the complete response; a `usable` connection may carry another."""
        ...

    def overrun(self) -> None:
        """Close the connection, on which something else than the response has arrived."""
        ...

    def pause(self) -> None:
        """Stop reading the socket."""
        ...

    def resume(self) -> None:
        """Read the socket again."""
        ...

    def end(self) -> None:
        """Close the connection at once."""
        ...


class Answer:
    """A response, complete or still arriving.

    It `is_whole` once the end of its body has arrived, read or not. The names in its `headers` are in lower
    case; of several headers with one name the last is kept.
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
        # The parser calls the list's own method, so no Python code runs for an HTTP chunk.
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

    async def head(self) -> None:
        """Wait for the status and the headers.

        Raises:
            HttpError: The response failed before its headers were complete.
        """
        while not self._has_head and self.error is None:
            await self._wait()
        if not self._has_head and self.error is not None:
            raise self.error

    async def read(self) -> bytes:
        """Return the unread bytes of the body once there are some; b"" at its end.

        Raises:
            HttpError: The response failed before its end.
        """
        while not self._pieces:
            if self.is_whole:
                return b""
            if self.error is not None:
                raise self.error
            await self._wait()
        data = self.rest()
        if self._is_paused:
            self._is_paused = False
            self._last = self._connection.loop.time()  # Until now this client caused the silence.
            self._connection.resume()
        return data

    def rest(self) -> bytes:
        """Return the unread bytes of the body that have arrived."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0
        return data

    async def close(self) -> None:
        """Abandon the rest of the response; this closes an unfinished connection."""
        if not self.is_whole:
            self._connection.end()
        self._parser = None

    def take(self, data: bytes) -> None:
        """Process bytes from the network."""
        assert self._parser is not None
        self._last = self._connection.loop.time()
        problem: HttpError | None = None
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            problem = NotHttp("it changes the protocol")
        except HttpParserError as error:
            # The context is an error of the methods below.
            problem = NotHttp(str(error.__context__ or error))
        if not self._has_head:
            self._read += len(data)
            if self._read > _MAX_HEAD:
                problem = NotHttp(f"its head is longer than {_MAX_HEAD} bytes")
        if self.is_whole:
            self._parser = None
            if self._is_paused:
                self._is_paused = False
                self._connection.resume()  # The next response may come before this one has been read.
            if problem is None:
                self._connection.finish(usable=self._is_reusable)
            else:
                self._connection.overrun()
        elif problem is not None:
            self.fail(problem)
            self._connection.overrun()
        elif self._pieces:
            self._count(len(data))
        if self._has_head:
            self._wake()

    def check(self, now: float) -> float:
        """Fail if a reader has waited for too long.

        Returns:
            The seconds until the next check, or 0 if the response has failed. At most the shortest time
            limit, because the limit that applies may change to that one.
        """
        shortest = self._timeouts.shortest
        if self._waiter is None:
            return shortest
        left = self._last + self._patience - now
        if left > 0:
            return min(left, shortest)
        self.fail(Silence())
        self._connection.end()
        return 0.0

    def lose(self, *, is_error: bool) -> None:
        """Handle the end of the connection, which may be the regular end of the body."""
        coding = self.headers.get("transfer-encoding", "").lower()
        until_close = self._has_head and "content-length" not in self.headers and "chunked" not in coding
        if until_close and not is_error:
            self.is_whole = True
            self._parser = None
            self._wake()
        else:
            self.fail(Cut() if self._read else Unanswered())

    def fail(self, error: HttpError) -> None:
        """End the response with an error, unless it is complete or has failed before."""
        if not self.is_whole and self.error is None:
            error.begun = self._has_begun
            self.error = error
        self._parser = None
        self._wake()

    def on_message_begin(self) -> None:
        """Handle the parser's event; a second response must not mix with the first."""
        if self.is_whole:
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle the parser's event; headers after the body (trailers) are ignored."""
        if not self._has_head:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Handle the parser's event."""
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        if self.status >= 200:
            self._has_head = True
        elif self.status < 100:
            raise ValueError(f"its status is {self.status:03}")
        else:  # An interim response, such as "100 Continue".
            self.headers.clear()

    def on_message_complete(self) -> None:
        """Handle the parser's event."""
        if self._has_head:
            assert self._parser is not None
            self.is_whole = True
            self._is_reusable = self._parser.should_keep_alive()

    def _count(self, size: int) -> None:
        if not self._has_begun:
            # After the first byte, the idle timeout applies.
            self._has_begun = True
            self._patience = self._timeouts.idle
        self._unread += size
        if self._unread > _MAX_UNREAD and not self._is_paused:
            self._is_paused = True
            self._connection.pause()

    def _wait(self) -> asyncio.Future[None]:
        """Return a future that completes at the next change."""
        waiter = self._waiter = self._connection.loop.create_future()
        return waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
