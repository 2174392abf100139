"""HTTP requests to an ASGI application in another thread, without a socket.

An exchange lives in the application's event loop. The client, in any thread or event loop, pulls each part of
the response from there, so that streams arrive piece by piece. A client that closes a stream disconnects.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Protocol, TypeVar

import httpx2
from starlette.types import ASGIApp, Message, Scope

T = TypeVar("T")


class Submit(Protocol):
    """Function that runs a coroutine in the application's event loop."""

    def __call__(self, work: Coroutine[None, None, T], /) -> "Future[T]":
        """Return the coroutine's future."""


_END: Message = {"type": "end"}
_WAITING = 8
"""Messages that the application sends ahead of the client."""


class _Exchange:
    """Request and its response, in the application's event loop."""

    def __init__(self, app: ASGIApp, request: httpx2.Request, body: bytes) -> None:
        self._app = app
        self._scope = _scope(request)
        self._body: bytes | None = body
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_WAITING)
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Message:
        """Start the application, and return the head of its response."""
        self._task = asyncio.create_task(self._run())
        return await self._next()

    async def body(self) -> bytes | None:
        """Return the next piece of the body, or None at its end."""
        message = await self._next()
        if message is _END:
            return None
        piece: bytes = message.get("body", b"")
        return piece

    async def close(self) -> None:
        """Disconnect, and wait for the application."""
        self._gone.set()
        while not self._messages.empty():
            self._messages.get_nowait()
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _next(self) -> Message:
        message = await self._messages.get()
        if message is _END and self._task is not None:
            await self._task  # It raises the application's exception.
        return message

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            await self._messages.put(_END)

    async def _send(self, message: Message) -> None:
        if not self._gone.is_set():
            await self._messages.put(message)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


class AppTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Transport to an application, for clients of both kinds."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and return the head of its response with a stream."""
        exchange = _Exchange(self._app, request, request.read())
        return _response(self._submit(exchange.start()).result(), _Body(exchange, self._submit))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and return the head of its response with a stream."""
        exchange = _Exchange(self._app, request, await request.aread())
        head = await asyncio.wrap_future(self._submit(exchange.start()))
        return _response(head, _Body(exchange, self._submit))

    def _submit(self, work: Coroutine[None, None, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Body of a response, pulled from the application's event loop."""

    def __init__(self, exchange: _Exchange, submit: Submit) -> None:
        self._exchange = exchange
        self._submit = submit

    def __iter__(self) -> Iterator[bytes]:
        while (piece := self._submit(self._exchange.body()).result()) is not None:
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await asyncio.wrap_future(self._submit(self._exchange.body()))) is not None:
            yield piece

    def close(self) -> None:
        self._submit(self._exchange.close()).result()

    async def aclose(self) -> None:
        await asyncio.wrap_future(self._submit(self._exchange.close()))


def _scope(request: httpx2.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "client": ("127.0.0.1", 0),
        "server": (request.url.host, request.url.port),
    }


def _response(head: Message, body: _Body) -> httpx2.Response:
    return httpx2.Response(head["status"], headers=head.get("headers", []), stream=body)
