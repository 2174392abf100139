"""Connections to backends: the clients, the headers, and the errors in words."""

import ssl
from functools import partial

from antiphon.backends.http.client import HttpClient
from antiphon.backends.http.errors import (
    ConnectError,
    ConnectTimeout,
    HttpError,
    NotHttp,
    ProxyRefused,
    Silence,
    Unanswered,
    Undecodable,
    reason,
)
from antiphon.backends.http.protocol import Client
from antiphon.backends.http.target import Headers
from antiphon.backends.refusals import excerpt, speaks
from antiphon.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from antiphon.ids import INSTANCE, INSTANCE_HEADER
from antiphon.settings.backends import BackendSettings
from antiphon.settings.load import endpoint

_DEFAULTS = {"Accept-Encoding": "identity", "Accept": "*/*", INSTANCE_HEADER: INSTANCE}


class Clients:
    """The HTTP clients of all backends; they belong to the running event loop."""

    def __init__(self) -> None:
        self.direct = HttpClient()
        """The client of all backends that need nothing special."""
        self._own: list[Client] = []

    def of(self, backend: BackendSettings) -> Client:
        """Return the client for a backend: `direct`, or one of its own."""
        tls = partial(tls_context, backend)
        client: Client
        if backend.proxy is not None or backend.http2:
            # Imported late: it takes time, and most servers don't need it.
            from antiphon.backends.http.library_client import LibraryClient

            client = LibraryClient(
                tls,
                proxy=None if backend.proxy is None else backend.proxy.reveal(),
                http2=backend.http2,
                unix_socket=backend.unix_socket,
            )
        elif backend.ca_file or backend.client_cert or backend.unix_socket or not backend.verify:
            client = HttpClient(tls, backend.unix_socket)
        else:
            return self.direct
        self._own.append(client)
        return client

    @property
    def calls_in_progress(self) -> int:
        """The number of calls of backends that are in progress."""
        return sum(client.calls_in_progress for client in (self.direct, *self._own))

    async def close(self) -> None:
        """Close all connections."""
        for client in (self.direct, *self._own):
            await client.close()


def tls_context(backend: BackendSettings) -> ssl.SSLContext:
    """Return the TLS context for a backend; the settings have checked its files.

    Raises:
        OSError: A file has changed since then.
    """
    context = ssl.create_default_context(cafile=backend.ca_file)
    if not backend.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if backend.client_cert is not None:
        context.load_cert_chain(backend.client_cert, backend.client_key, password="")
    return context


def headers_of(backend: BackendSettings) -> Headers:
    """Return the headers of every request to a backend, with its API key."""
    own = {name: value.reveal() for name, value in backend.headers.items()}
    names = {name.lower() for name in own}
    headers = {name: value for name, value in _DEFAULTS.items() if name.lower() not in names} | own
    if backend.api_key is not None:
        headers["Authorization"] = f"Bearer {backend.api_key.reveal()}"
    return tuple(headers.items())


def failure(backend: BackendSettings, error: HttpError) -> UpstreamError:
    """Return the `UpstreamError` for an error of the HTTP client."""
    if isinstance(error, ConnectTimeout):
        text = f"no connection to {place_of(backend)} within {backend.connect_timeout:g} s"
        return UpstreamTimeout(speaks(backend, text))
    if isinstance(error, Silence) and error.begun:
        text = f"silent for {backend.idle_timeout:g} s in the middle of its answer"
        return UpstreamTimeout(speaks(backend, text))
    if isinstance(error, Silence):
        return UpstreamTimeout(speaks(backend, f"no answer within {backend.first_byte_timeout:g} s"))
    if isinstance(error, ConnectError):
        is_tls = isinstance(error.cause, ssl.SSLError)
        place = _endpoint(backend.base_url) if is_tls else place_of(backend)
        why = excerpt(reason(error).encode())
        return UpstreamUnreachable(speaks(backend, f"cannot connect to {place}: {why}"))
    if isinstance(error, ProxyRefused):
        why = excerpt(str(error).encode())
        text = f"{place_of(backend)} doesn't connect to {_endpoint(backend.base_url)}: {why}"
        return UpstreamUnreachable(speaks(backend, text))
    if isinstance(error, Unanswered) and error.is_premature:
        return UpstreamBroken(speaks(backend, "its answer is not HTTP/1.1: it sends data before a request"))
    if isinstance(error, NotHttp):
        return UpstreamBroken(speaks(backend, f"its answer is not HTTP: {excerpt(str(error).encode())}"))
    if isinstance(error, Undecodable):
        return UpstreamBroken(speaks(backend, excerpt(str(error).encode())))
    where = "in the middle of its answer" if error.begun else "before it answered"
    return UpstreamBroken(speaks(backend, f"the connection was cut {where}"))


def place_of(backend: BackendSettings) -> str:
    """Return the endpoint of the backend's connections, without credentials."""
    if backend.proxy is not None:
        return f"the proxy {_endpoint(backend.proxy.reveal())}"
    return backend.unix_socket or _endpoint(backend.base_url)


def _endpoint(url: str) -> str:
    host, port = endpoint(url)
    return f"{host}:{port}"
