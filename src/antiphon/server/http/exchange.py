"""A request over HTTP/1.1 and its answer, as an ASGI application reads and writes them."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from functools import cache
from http import HTTPStatus
from types import TracebackType
from typing import Protocol, Self

from starlette.types import ASGIApp, Message, Scope

from antiphon.errors import RequestTimeout

CLIENT = "antiphon.client"
"""Where a request's `Client` stands in its scope; other servers than ours do not say who it is."""


class Client:
    """Who waits for the answer to a request.

    ASGI tells of a client that goes away only to who waits for another message; that would be a task for
    each request.
    """

    __slots__ = ("_told", "is_gone")

    def __init__(self) -> None:
        self.is_gone = False
        self._told: Callable[[], None] | None = None

    def leave(self) -> None:
        """Notes that it has gone away."""
        self.is_gone = True
        if self._told is not None:
            self._told()

    def tell(self, told: Callable[[], None] | None) -> None:
        """Calls `told` when it goes away, at once if it has gone; None calls nobody any more."""
        self._told = told
        if self.is_gone and told is not None:
            told()


class StoppedByDisconnect:
    """A block that is cancelled when the client closes the connection, and then ends quietly.

    What the block was waiting for is cancelled where it stands, so that connections to backends close within
    the same turn of the event loop. Who cancels the task itself is not kept from it: that goes on as
    `asyncio.CancelledError`.
    """

    def __init__(self, scope: Scope) -> None:
        self._client: Client = scope.get(CLIENT) or Client()
        self._is_stopped = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._client.tell(self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._client.tell(None)
        if not self._is_stopped:
            return False
        assert self._task is not None
        return self._task.uncancel() == 0 and kind is asyncio.CancelledError

    def _stop(self) -> None:
        assert self._task is not None
        self._is_stopped = True
        self._task.cancel()


log = logging.getLogger("antiphon.server")

PATIENCE = 20.0
"""Seconds that a body may be waited for: at first, and at most at any time."""
LEAST_RATE = 500.0
"""Bytes that are worth another second. Both numbers are Apache's defaults (mod_reqtimeout)."""
_MOST_UNREAD = 64 * 1024
"""Bytes of a body that may wait to be read; the client has to wait then."""
CLOSE = (b"connection", b"close")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_WITHOUT_BODY = frozenset({204, 304})

Header = tuple[bytes, bytes]


class Connection(Protocol):
    """What an exchange goes over."""

    loop: asyncio.AbstractEventLoop
    is_full: bool
    """Whether the client does not follow, so that what is written waits here."""

    def headers(self) -> list[Header]:
        """Returns the headers that every answer has."""
        ...

    def write(self, pieces: list[bytes], *, at_once: bool) -> None:
        """Writes, `at_once` or soon."""
        ...

    async def drain(self) -> None:
        """Waits until the client has followed, or is gone."""
        ...

    def pause_reading(self) -> None:
        """Lets the client wait."""
        ...

    def resume_reading(self) -> None:
        """Reads on."""
        ...

    def finish(self) -> None:
        """Goes on to the next exchange: this one's answer is whole."""
        ...

    def close(self) -> None:
        """Ends the connection after what was written."""
        ...

    def leave(self, exchange: "Exchange") -> None:
        """Forgets the task of an exchange: there is no more to do."""
        ...


class Exchange:
    """One request and its answer, which `has_begun` when its head is made; the `task` runs it.

    `keep_alive` tells whether the connection may carry another exchange then.

    The body of a request may take as long as it needs while it comes on; one that comes too slowly is given
    up. What does not count is the time in which nobody reads.
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
        """Lets the application answer; an answer that does not become whole ends the connection."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            # The request boundary: whatever happened, the other connections go on.
            log.exception("%s %s failed", self.scope["method"], self.scope["path"])
        finally:
            if not self._is_over:
                self._connection.close()
            self._connection.leave(self)

    def feed(self, body: bytes) -> None:
        """Takes in a piece of the request's body; what comes after the answer is of no use."""
        if self._is_over:
            return
        self._body.append(body)
        self._unread += len(body)
        if self._unread > _MOST_UNREAD:
            self._connection.pause_reading()
        self._wake()

    def end_body(self) -> None:
        """Notes that the request is whole."""
        self._is_body_whole = True
        self._wake()

    def lose(self) -> None:
        """Notes that the client is gone."""
        self._client.leave()
        self._wake()

    async def receive(self) -> Message:
        """ASGI's `receive`. Raises `RequestTimeout`."""
        while not (self._client.is_gone or self._is_over):
            if self._body or (self._is_body_whole and not self._is_body_read):
                return self._message()
            if self._expects_continue:
                self._expects_continue = False
                self._connection.write([_CONTINUE], at_once=True)
            await self._wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI's `send`."""
        if self._connection.is_full:
            await self._connection.drain()
        if self._client.is_gone:
            return
        if not self.has_begun:
            self._begin(message["status"], message.get("headers", ()))
            return
        if self._is_over:
            raise RuntimeError("an answer goes on after its end")
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
        self._connection.resume_reading()  # Also after the last of it: who does not read sees nobody leave.
        return {"type": "http.request", "body": body, "more_body": not self._is_body_whole}

    async def _wait(self) -> None:
        """Waits for more of the body, or until there is none to come any more."""
        loop = self._connection.loop
        self._waiter = loop.create_future()
        if self._is_body_whole:  # It is waited for the client to go away.
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
        """Whether more of the body is to come, and nothing has come."""
        return not (self._body or self._is_body_whole or self._client.is_gone)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _begin(self, status: int, headers: Iterable[Header]) -> None:
        """Makes the head, which leaves with the first of the body."""
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
            self.keep_alive = False  # Nobody knows whether the body will come, or the next request.
        if not self.keep_alive:
            lines.append(CLOSE)
        self._head = head(status, lines)
        self.has_begun = True

    def _write(self, body: bytes, more: bool) -> None:
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("an answer is not as long as its head says")
        if self._is_bare:
            body = b""
        elif self._is_chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        if self._head or body:
            # Who gets an answer in pieces reads along.
            self._connection.write([self._head, body], at_once=more or self._is_chunked)
            self._head = b""


def head(status: int, headers: Collection[Header]) -> bytes:
    """Returns the head of an answer. Raises ValueError for a header that would be more than one line."""
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
