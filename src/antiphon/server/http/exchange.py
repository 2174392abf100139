"""HTTP/1.1 request and response, as an ASGI application reads and writes them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import Protocol, Self

from starlette.types import ASGIApp, Message, Scope

from antiphon.errors import RequestTimeout

log = logging.getLogger("antiphon.server")

PATIENCE = 20.0
"""Seconds to wait for a body: at first, and at most at any time."""
LEAST_RATE = 500.0
"""Bytes that extend the wait by a second; both are defaults of mod_reqtimeout."""
_MOST_UNREAD = 64 * 1024
"""Unread bytes of a body from which on the client has to wait."""
CLOSE = (b"connection", b"close")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_WITHOUT_BODY = frozenset({204, 304})

Header = tuple[bytes, bytes]
Linger = Callable[[], Awaitable[None]]
CLIENT = "antiphon.client"
"""Key of the request's `Client` in its scope; other ASGI servers don't set it."""


class Client:
    """Connection state of the client that waits for a response.

    ASGI reports a disconnect only to a task that waits for another message, which would be one more task per
    request.
    """

    __slots__ = ("_callback", "is_gone", "only_watches")

    def __init__(self) -> None:
        self.is_gone = False
        self.only_watches = False
        """Whether the response has no end of its own, so that a stopping server doesn't wait for it."""
        self._callback: Callable[[], None] | None = None

    def leave(self) -> None:
        """Note that the client has disconnected."""
        self.is_gone = True
        if self._callback is not None:
            self._callback()

    def on_leave(self, callback: Callable[[], None] | None) -> None:
        """Set the function to call at the disconnect, which may have happened already."""
        self._callback = callback
        if self.is_gone and callback is not None:
            callback()


class StoppedByDisconnect:
    """A block that ends silently when the client disconnects.

    The disconnect cancels the operation that the block awaits, so that connections to backends close in the
    same iteration of the event loop. Other cancellations of the task raise `asyncio.CancelledError` as usual.

    Args:
        scope: The ASGI scope of the request.
        linger: Returns when the block ends after a disconnect; None ends it at once.
    """

    def __init__(self, scope: Scope, linger: Linger | None = None) -> None:
        self._client: Client = scope.get(CLIENT) or Client()
        self._is_stopped = False
        self._linger = linger
        self._lingering: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._client.on_leave(self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._client.on_leave(None)
        if self._lingering is not None:
            self._lingering.cancel()
        if not self._is_stopped:
            return False
        assert self._task is not None
        return self._task.uncancel() == 0 and kind is asyncio.CancelledError

    def _stop(self) -> None:
        if self._linger is None:
            self._cancel()
        else:
            self._lingering = asyncio.create_task(self._stop_later(self._linger))

    async def _stop_later(self, linger: Linger) -> None:
        await linger()
        self._cancel()

    def _cancel(self) -> None:
        assert self._task is not None
        self._is_stopped = True
        self._task.cancel()


class Connection(Protocol):
    """Connection that an exchange belongs to."""

    loop: asyncio.AbstractEventLoop
    """Event loop of the connection."""
    is_full: bool
    """Whether the client reads too slowly, so that written data waits here."""

    def headers(self) -> list[Header]:
        """Return the headers of every response."""
        ...

    def write(self, pieces: list[bytes], *, at_once: bool) -> None:
        """Write pieces, at once or soon."""
        ...

    async def drain(self) -> None:
        """Wait until the client has caught up, or has disconnected."""
        ...

    def pause_reading(self) -> None:
        """Stop reading, so that the client has to wait."""
        ...

    def resume_reading(self) -> None:
        """Continue reading."""
        ...

    def finish(self) -> None:
        """End the exchange, whose response is complete."""
        ...

    def close(self) -> None:
        """End the connection after all data is written."""
        ...

    def leave(self, exchange: "Exchange") -> None:
        """Remove the task of an exchange, which has nothing left to do."""
        ...


class Exchange:
    """One request and its response.

    A request body may take any time as long as it arrives fast enough. Time in which the application doesn't
    read it doesn't count.

    Attributes:
        scope: ASGI scope of the request.
        keep_alive: Whether the connection may serve another exchange afterwards.
        has_begun: Whether the head of the response exists.
        task: Task that runs the application; None before and after.
    """

    __slots__ = (
        "_body",
        "_client",
        "_connection",
        "_expects_continue",
        "_head",
        "_is_bare",
        "_is_body_read",
        "_is_body_whole",
        "_is_chunked",
        "_is_over",
        "_left",
        "_patience",
        "_unread",
        "_waiter",
        "has_begun",
        "keep_alive",
        "scope",
        "task",
    )

    def __init__(
        self, connection: Connection, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self._connection = connection
        self._client = scope[CLIENT] = Client()
        self._expects_continue = expects_continue
        self._body: list[bytes] = []
        self._unread = 0
        self._is_body_whole = False
        self._is_body_read = False
        self._patience = PATIENCE
        self._head = b""
        self.has_begun = False
        self._is_bare = False
        self._is_chunked = False
        self._left: int | None = None
        self._is_over = False
        self._waiter: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp) -> None:
        """Run the application; an incomplete response ends the connection."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            # The request boundary: an error of one request leaves the other connections alone.
            log.exception("Failed to respond to %s %s", self.scope["method"], self.scope["path"])
        finally:
            if not self._is_over:
                self._connection.close()
            self._connection.leave(self)

    def feed(self, body: bytes) -> None:
        """Add a piece of the request body; ignore it after the end of the response."""
        if self._is_over:
            return
        self._expects_continue = False  # It no longer waits.
        self._body.append(body)
        self._unread += len(body)
        if self._unread > _MOST_UNREAD:
            self._connection.pause_reading()
        self._wake()

    def end_body(self) -> None:
        """Note that the request is complete."""
        self._is_body_whole = True
        self._expects_continue = False
        self._wake()

    @property
    def only_watches(self) -> bool:
        """Whether a stopping server need not wait for the end of the response."""
        return self._client.only_watches

    def lose(self) -> None:
        """Note that the client has disconnected."""
        self._client.leave()
        self._wake()

    async def receive(self) -> Message:
        """Return the next message of the request, as ASGI's `receive`.

        Raises:
            RequestTimeout: The body arrives too slowly.
        """
        while not (self._client.is_gone or self._is_over):
            if self._body or (self._is_body_whole and not self._is_body_read):
                return self._message()
            if self._expects_continue:
                self._expects_continue = False
                self._connection.write([_CONTINUE], at_once=True)
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a message of the response, as ASGI's `send`."""
        if self._connection.is_full:
            await self._connection.drain()
        if self._client.is_gone:
            return
        if not self.has_begun:
            self._begin(message["status"], message.get("headers", ()))
            return
        if self._is_over:
            raise RuntimeError("a response continues after its end")
        more = message.get("more_body", False)
        self._write(message.get("body", b""), more)
        if not more:
            self._is_over = True
            self._wake()
            self._connection.finish()

    def _message(self) -> Message:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._unread = 0
        self._patience = min(PATIENCE, self._patience + len(body) / LEAST_RATE)
        self._is_body_read = self._is_body_whole
        self._connection.resume_reading()  # Also at the end: only a reading connection detects a disconnect.
        return {"type": "http.request", "body": body, "more_body": not self._is_body_whole}

    async def _wait(self) -> None:
        """Wait for more of the body, or until no more can arrive."""
        loop = self._connection.loop
        self._waiter = loop.create_future()
        if self._is_body_whole:  # The application waits for the client to disconnect.
            await self._waiter
            return
        began = loop.time()
        timer = loop.call_later(self._patience, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
        self._patience -= loop.time() - began
        if self._patience <= 0 and self._is_missing():
            raise RequestTimeout

    def _is_missing(self) -> bool:
        """Return whether the body is incomplete and no piece of it is unread."""
        return not (self._body or self._is_body_whole or self._client.is_gone)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _begin(self, status: int, headers: Iterable[Header]) -> None:
        """Build the head, which leaves with the first piece of the body."""
        lines = [*self._connection.headers(), *headers]
        if CLOSE in lines:
            lines.remove(CLOSE)
            self.keep_alive = False
        self._is_bare = status in _WITHOUT_BODY or self.scope["method"] == "HEAD"
        if not self._is_bare:
            for name, value in lines:
                if name == b"content-length":
                    self._left = int(value)
            if self._left is None and self.scope["http_version"] == "1.1":
                self._is_chunked = True
                lines.append((b"transfer-encoding", b"chunked"))
        if self._expects_continue:
            self.keep_alive = False  # The body may still arrive, or the next request instead.
        if not self.keep_alive:
            lines.append(CLOSE)
        self._head = head(status, lines)
        self.has_begun = True

    def _write(self, body: bytes, more: bool) -> None:
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("a response differs from its content-length")
        if self._is_bare:
            body = b""
        elif self._is_chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        if self._head or body:
            # The client of a stream reads each piece on its arrival.
            self._connection.write([self._head, body], at_once=more or self._is_chunked)
            self._head = b""


def head(status: int, headers: Collection[Header]) -> bytes:
    """Return the head of a response.

    Raises:
        ValueError: A header contains a line break.
    """
    pieces = [_status_line(status)]
    for name, value in headers:
        pieces += (name, b": ", value, b"\r\n")
    pieces.append(b"\r\n")
    lines = b"".join(pieces)
    if lines.count(b"\n") != len(headers) + 2 or lines.count(b"\r") != len(headers) + 2:
        raise ValueError("a header with a line break")
    return lines


@cache
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()
