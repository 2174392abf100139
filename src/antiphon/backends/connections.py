"""Connections to backends: the clients, the headers, and the errors in words."""

from antiphon.backends.http.client import HttpClient
from antiphon.backends.http.errors import (
    ConnectError,
    ConnectTimeout,
    HttpError,
    NotHttp,
    Silence,
    reason,
)
from antiphon.backends.http.protocol import Client
from antiphon.backends.http.target import Headers
from antiphon.backends.refusals import excerpt, speaks
from antiphon.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from antiphon.ids import INSTANCE, INSTANCE_HEADER
from antiphon.settings.load import endpoint
from antiphon.settings.schema import BackendSettings

_DEFAULTS = {"Accept-Encoding": "identity", "Accept": "*/*", INSTANCE_HEADER: INSTANCE}


class Clients:
    """The HTTP clients of all backends; they belong to the running event loop."""

    def __init__(self) -> None:
        self.direct = HttpClient()
        """The client of all backends that need nothing special."""

    def of(self, backend: BackendSettings) -> Client:
        """Return the client for a backend: `direct`, or one of its own."""
        return self.direct

    async def close(self) -> None:
        """Close all connections."""
        await self.direct.close()


def headers_of(backend: BackendSettings) -> Headers:
    """Return the headers of every request to a backend, with its API key."""
    headers = dict(_DEFAULTS)
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
        why = excerpt(reason(error).encode())
        return UpstreamUnreachable(speaks(backend, f"cannot connect to {place_of(backend)}: {why}"))
    if isinstance(error, NotHttp):
        return UpstreamBroken(speaks(backend, f"its answer is not HTTP: {excerpt(str(error).encode())}"))
    where = "in the middle of its answer" if error.begun else "before it answered"
    return UpstreamBroken(speaks(backend, f"the connection was cut {where}"))


def place_of(backend: BackendSettings) -> str:
    """Return the endpoint of the backend's connections."""
    host, port = endpoint(backend.base_url)
    return f"{host}:{port}"
