"""A client over httpx2 for what `HttpClient` doesn't have: proxies and HTTP/2.

Each request has its own connection. The library reuses connections without the checks of `HttpClient`: data
after a response would reach the next request. It also doesn't reset an HTTP/2 stream that is abandoned, so
only the end of the connection stops the backend.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import httpcore2
import httpx2
from h2.exceptions import H2Error

from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.errors import (
    ConnectError,
    ConnectTimeout,
    Cut,
    HttpError,
    NotHttp,
    ProxyRefused,
    Silence,
)
from antiphon.backends.http.target import Target

_CUT = ("Server disconnected", "peer closed connection", "<")
"""How the library's messages for a lost connection begin; `<` begins an HTTP/2 event."""


class LibraryClient:
    """A client for one backend.

    Args:
        tls: Returns the TLS context for the backend; called once, in a thread, before the first request.
        proxy: The proxy's URL, perhaps with a user name and a password.
        http2: Whether to use HTTP/2 only.
        unix_socket: The path of the socket of all connections, instead of TCP.
    """

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        *,
        proxy: str | None = None,
        http2: bool = False,
        unix_socket: str | None = None,
    ) -> None:
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._proxy = None if proxy is None else _proxy(proxy)
        self._http2 = http2
        self._unix_socket = unix_socket
        self._open: set[LibraryAnswer] = set()

    async def request(self, target: Target, body: bytes, timeouts: Timeouts) -> "LibraryAnswer":
        """Send a request; return the response as soon as its headers have arrived.

        Raises:
            HttpError: The connection or the response failed.
        """
        if self._tls is None:
            try:
                self._tls = await asyncio.to_thread(self._make_tls)
            except OSError as error:
                raise ConnectError(error) from error
        transport = httpx2.AsyncHTTPTransport(
            verify=self._tls,
            http1=not self._http2,
            http2=self._http2,
            proxy=self._proxy,
            uds=self._unix_socket,
        )
        phase = _Phase(timeouts)
        request = httpx2.Request(
            target.method, target.url, headers=target.headers, content=body, extensions={"trace": phase}
        )
        response = None
        try:
            with _http_errors():
                async with phase.limit:
                    response = await transport.handle_async_request(request)
        except TimeoutError as error:
            raise (Silence if phase.is_sent else ConnectTimeout) from error
        finally:
            if response is None:
                await transport.aclose()
        answer = LibraryAnswer(response, transport, timeouts, on_close=self._open.discard)
        self._open.add(answer)
        return answer

    @property
    def calls_in_progress(self) -> int:
        """The number of responses that are arriving."""
        return len(self._open)

    async def close(self) -> None:
        """Do nothing: each response closes its connection."""


class LibraryAnswer:
    """A response that may still be arriving."""

    def __init__(
        self,
        response: httpx2.Response,
        transport: httpx2.AsyncHTTPTransport,
        timeouts: Timeouts,
        on_close: "Callable[[LibraryAnswer], None]",
    ) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self.is_whole = False
        self._response = response
        self._transport = transport
        self._on_close = on_close
        self._idle = timeouts.idle
        self._patience = timeouts.first_byte
        self._has_begun = False
        self._parts: AsyncIterator[bytes] = response.aiter_raw()

    async def read(self) -> bytes:
        """Return the next part of the body; b"" at its end.

        Raises:
            HttpError: The response failed before its end.
        """
        try:
            with _http_errors():
                async with asyncio.timeout(self._patience):
                    data = await self._next()
        except TimeoutError as error:
            raise self._failed(Silence()) from error
        except HttpError as error:
            raise self._failed(error) from error.__cause__
        if data:
            self._has_begun = True
            self._patience = self._idle
        else:
            self.is_whole = True
        return data

    async def close(self) -> None:
        """Close the connection."""
        self._on_close(self)
        with suppress(httpx2.HTTPError, H2Error, OSError):
            await self._response.aclose()
        await self._transport.aclose()

    async def _next(self) -> bytes:
        async for part in self._parts:
            if part:
                return part
        return b""

    def _failed(self, error: HttpError) -> HttpError:
        error.begun = self._has_begun
        return error


class _Phase:
    """The time limit of a request, first to connect and then for the response.

    The library calls it for each step.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.limit = asyncio.timeout(timeouts.connect)
        self.is_sent = False
        """Whether the backend is connected, so that the request is being sent."""
        self._first_byte = timeouts.first_byte

    async def __call__(self, step: str, details: Mapping[str, object]) -> None:
        if not step.endswith(".send_request_headers.started"):
            return
        request = details["request"]
        # The request to a proxy for a connection is a part of connecting.
        if isinstance(request, httpcore2.Request) and request.method != b"CONNECT":
            self.is_sent = True
            self.limit.reschedule(asyncio.get_running_loop().time() + self._first_byte)


@contextmanager
def _http_errors() -> Iterator[None]:
    """Convert the library's errors."""
    try:
        yield
    except TimeoutError:
        raise
    except httpx2.ProxyError as error:
        raise ProxyRefused(str(error)) from error
    except httpx2.ConnectError as error:
        raise ConnectError(_os_error(error)) from error
    except httpx2.RemoteProtocolError as error:
        raise (Cut() if str(error).startswith(_CUT) else NotHttp(str(error))) from error
    except (httpx2.LocalProtocolError, H2Error, ValueError) as error:
        raise NotHttp(str(error)) from error
    except httpx2.ConnectTimeout as error:
        raise ConnectTimeout from error
    except (httpx2.TransportError, OSError) as error:
        raise Cut from error


def _os_error(error: BaseException) -> OSError:
    """Return the operating system's error that caused a failure to connect."""
    found = OSError(str(error))
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and (cause.errno or cause.strerror):
            found = cause
        cause = cause.__cause__ or cause.__context__
    return found


def _proxy(url: str) -> httpx2.Proxy:
    is_tls = url.startswith("https:")
    return httpx2.Proxy(url, ssl_context=ssl.create_default_context() if is_tls else None)
