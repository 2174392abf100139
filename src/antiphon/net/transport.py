"""An HTTP transport that connects only to addresses that the guard has checked."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

import anyio
import httpcore2
import httpx2

from antiphon.net.addresses import parse_url
from antiphon.net.guard import Guard

_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    # The most specific errors come first.
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
"""Seconds that an idle connection stays open; its address stays the checked one."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """A transport for `httpx2.AsyncClient`, used for example by the MCP client.

    It checks every request, including those that follow a redirect. It ignores the proxies of the
    environment, because a proxy would look up names itself.

    Its requests raise `AddressNotAllowed` and `InvalidRequest` with `param`, which aren't httpx2 errors.
    """

    def __init__(self, guard: Guard, *, param: str | None = None) -> None:
        self._param = param
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=guard.tls,
            network_backend=_GuardedBackend(guard, param),
            keepalive_expiry=_KEEP_ALIVE,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; TLS and the `Host` header use the name in the URL."""
        url = parse_url(str(request.url), self._param)
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        inner = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            # A `Host` header of the client could name another site than the one that was checked.
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
        """Close all connections."""
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
    """A network backend that looks up a name once and tries only checked addresses.

    Other kinds of connections aren't implemented here, so they are refused.
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
            raise httpcore2.ConnectTimeout(f"the look-up of {host} took too long") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"the host {host} wasn't found") from error
        share = None if timeout is None else timeout / len(addresses)
        failure: httpcore2.ConnectError | httpcore2.ConnectTimeout
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        # The error's text may contain the IP address.
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
