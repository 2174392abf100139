"""Authentication by API keys, and protection from web pages of other sites."""

import asyncio
import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.errors import AntiphonError
from antiphon.server.edge.state import Headers, headers_of, request_state, server_state
from antiphon.service.access.errors import HostNotAllowed, OriginNotAllowed
from antiphon.service.access.keys import Keys

OPEN_PATHS = frozenset({"/v1/health", "/v1/ready", "/v1/version", "/v1/openapi.json", "/docs"})
"""Paths that need no key."""

PAGES = "/viewer"
"""Path of the pages for people."""
_API = "/v1/"
METRICS_PATH = "/metrics"
"""Path with a scope of its own."""
_PATIENCE = 0.2
"""Seconds to look up the key of a request for an open path."""
_LOCAL_NAMES = frozenset({"localhost", "host.docker.internal", "host.containers.internal"})
"""Names of this machine: RFC 6761, and those that Docker and Podman give it in containers.

Any machine of the network can answer for another name in `.local` (RFC 6762), and such a name of this machine
doesn't lead to its loopback address.
"""


class Authentication:
    """Middleware that checks the API keys and applies the limits of requests.

    The request's state contains the `Caller`, or None for a server without keys and limits. Such a server has
    to reject web pages, because a browser sends the requests of any page to this machine. The middleware
    rejects requests from pages of other sites. If only this machine can reach the server (`is_local`), the
    middleware also rejects hosts that aren't this machine's (DNS rebinding). Responses have no CORS headers,
    so that pages cannot read them.

    The pages for people (`pages`) check the access themselves, because browsers send cookies and no keys.
    """

    def __init__(self, app: ASGIApp, keys: Keys, *, is_local: bool, pages: ASGIApp | None = None) -> None:
        self.app = app
        self._pages = pages
        self._keys = keys
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request and pass it on."""
        path = scope["path"]
        if path in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        if self._pages is not None and not path.startswith(_API) and _is_page(scope):
            await self._pages(scope, receive, send)
            return
        headers = headers_of(scope)
        if await self._keys.is_needed():
            caller = await self._keys.caller(key_of(headers))
            if caller is not None:
                caller.check("metrics" if scope["path"] == METRICS_PATH else "api")
        else:
            check_site(headers.get(b"host", b""), headers.get(b"origin"), is_local=self._is_local)
            caller = self._keys.without_key()
        if caller is None:
            await self.app(scope, receive, send)
            return
        state = request_state(scope)
        state.caller, state.record.key = caller, caller.name
        if scope["type"] == "http" and scope["method"] == "POST":
            await caller.begin_request()
        try:
            await self.app(scope, receive, send)
        finally:
            caller.end_stream()


def _is_page(scope: Scope) -> bool:
    """Return whether a request is for a page, or from a browser that opens the address of the server."""
    path: str = scope["path"]
    if scope["type"] != "http":
        return False
    if path == "/":
        return bool(scope["method"] == "GET") and b"text/html" in headers_of(scope).get(b"accept", b"")
    return path == PAGES or path.startswith(f"{PAGES}/")


async def is_known(connection: HTTPConnection) -> bool:
    """Return whether a request for an open path could use the others, too.

    A database that doesn't answer makes clients unknown.
    """
    server, headers = server_state(connection), headers_of(connection.scope)
    keys = server.services.keys
    try:
        async with asyncio.timeout(_PATIENCE):
            if await keys.is_needed():
                await keys.caller(key_of(headers))
            else:
                check_site(headers.get(b"host", b""), headers.get(b"origin"), is_local=server.is_local)
    except (AntiphonError, TimeoutError):
        return False
    return True


def check_site(host: bytes, origin: bytes | None, *, is_local: bool) -> None:
    """Reject requests that only a web page of another site would send.

    Args:
        host: `Host` header.
        origin: `Origin` header, if there is one.
        is_local: Whether only this machine can reach the server.

    Raises:
        OriginNotAllowed: A page of another site sent the request.
        HostNotAllowed: The host isn't this machine's.
    """
    if origin is not None and origin.partition(b"://")[2] != host:
        raise OriginNotAllowed(origin.decode("latin-1"))
    if is_local and host and not _is_own(host):
        raise HostNotAllowed(host.decode("latin-1"))


@lru_cache(maxsize=256)
def _is_own(host: bytes) -> bool:
    """Return whether a `Host` header is an IP address or a local name."""
    try:
        name = urlsplit(b"//" + host).hostname
        text = (name or b"").decode("ascii").rstrip(".")
    except ValueError:
        return False
    if text in _LOCAL_NAMES or text.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def key_of(headers: Headers) -> str | None:
    """Return the key of a request: in `Authorization`, else in `x-api-key` as in Anthropic's API."""
    key = bearer(headers.get(b"authorization", b""))
    return key or headers.get(b"x-api-key", b"").strip().decode("latin-1") or None


def bearer(authorization: bytes) -> str | None:
    """Return the key in an `Authorization` header, or None."""
    scheme, _, key = authorization.partition(b" ")
    return key.strip().decode("latin-1") or None if scheme.lower() == b"bearer" else None
