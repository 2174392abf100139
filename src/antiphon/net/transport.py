"""HTTP to addresses that callers name: connections are made only to what the guard has judged."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

import anyio
import httpcore2
import httpx2

from antiphon.net.addresses import parse_url
from antiphon.net.guard import Guard

_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    # The most specific first.
    (httpcore2.ConnectTimeout, httpx2.ConnectTimeout),
    (httpcore2.ReadTimeout, httpx2.ReadTimeout),
    (httpcore2.WriteTimeout, httpx2.WriteTimeout),
    (httpcore2.PoolTimeout, httpx2.PoolTimeout),
    (httpcore2.ConnectError, httpx2.ConnectError),
    (httpcore2.ReadError, httpx2.ReadError),
    (httpcore2.WriteError, httpx2.WriteError),
    (httpcore2.LocalProtocolError, httpx2.LocalProtocolError),
    (httpcore2.RemoteProtocolError, httpx2.RemoteProtocolError),
)
_KEEP_ALIVE = 30.0
"""Seconds that an idle connection is kept. It leads to an address that was judged when it was made."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """A transport for `httpx2.AsyncClient`, such as the MCP client's.

    Every request through it is judged, and so are those that follow a redirect. Proxies of the environment
    are not used: a proxy would do the look-up itself. Raises `AddressNotAllowed` and `InvalidRequest`, which
    are no httpx2 errors, with `param`.
    """

    def __init__(self, guard: Guard, *, param: str | None = None) -> None:
        self._param = param
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=guard.tls,
            network_backend=_GuardedBackend(guard, param),
            keepalive_expiry=_KEEP_ALIVE,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request; the name in the URL is what the certificate and `Host` are about."""
        url = parse_url(str(request.url), self._param)
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        inner = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            # A `Host` among the caller's headers would name another site than the one that was judged.
            headers=[
                (b"Host", url.netloc),
                *(header for header in request.headers.raw if header[0].lower() != b"host"),
            ],
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors():
            response = await self._pool.handle_async_request(inner)
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Makes the connections: the name is looked up once, and only its judged addresses are tried.

    Anything else that could connect is not implemented here, and so refused.
    """

    def __init__(self, guard: Guard, param: str | None) -> None:
        self._guard = guard
        self._param = param
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with anyio.fail_after(timeout):
                addresses = await self._guard.addresses(host, port, param=self._param)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"looking up {host} took too long") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"the host {host} is not found") from error
        share = None if timeout is None else timeout / len(addresses)
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        # Its text may hold the address.
        raise type(failure)(f"no connection to {host} at port {port}") from failure

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


@contextmanager
def _httpx_errors() -> Iterator[None]:
    try:
        yield
    except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        kind = next((ours for theirs, ours in _ERRORS if isinstance(error, theirs)), httpx2.TransportError)
        raise kind(str(error)) from error
