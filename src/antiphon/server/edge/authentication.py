"""Who calls: the key of a request, what it may use, and pages of other sites that want to use a server."""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.server.edge.state import headers_of, request_state
from antiphon.service.access.errors import HostNotAllowed, OriginNotAllowed
from antiphon.service.access.keys import Keys

OPEN_PATHS = frozenset({"/v1/health", "/v1/version", "/v1/openapi.json", "/docs"})
"""What is answered without a key."""

_LOCAL_NAMES = (".localhost", ".local", ".internal")
"""Names that no public name server gives out (RFC 6761 and 6762, ICANN's resolution of 29 July 2024)."""


class Authentication:
    """Around an application: lets in who has a key, and counts what they use.

    The request's state holds the `Caller`. Without keys and limits there is none. Then web
    pages are what has to be kept out: a browser sends what any page asks it to send to this machine. So
    requests of pages from elsewhere are refused, and if `is_local` also those that name a host which is not
    this machine's own (DNS rebinding). There are no CORS headers: no page reads what is answered.
    """

    def __init__(self, app: ASGIApp, keys: Keys, *, is_local: bool) -> None:
        self.app = app
        self._keys = keys
        self._is_local = is_local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        headers = headers_of(scope)
        if await self._keys.is_needed():
            caller = await self._keys.caller(bearer(headers.get(b"authorization", b"")))
        else:
            check_site(headers.get(b"host", b""), headers.get(b"origin"), is_local=self._is_local)
            caller = self._keys.without_key()
        if caller is None:
            await self.app(scope, receive, send)
            return
        state = request_state(scope)
        state.caller, state.record.key = caller, caller.name
        if scope["type"] == "http" and scope["method"] == "POST":
            caller.begin_request()
        try:
            await self.app(scope, receive, send)
        finally:
            caller.end_stream()


def check_site(host: bytes, origin: bytes | None, *, is_local: bool) -> None:
    """Raises `OriginNotAllowed` and `HostNotAllowed` for what only web pages of others would send."""
    if origin is not None and origin.partition(b"://")[2] != host:
        raise OriginNotAllowed(origin.decode("latin-1"))
    if is_local and host and not _is_own(host):
        raise HostNotAllowed(host.decode("latin-1"))


@lru_cache(maxsize=256)
def _is_own(host: bytes) -> bool:
    """Whether a Host header is an address or a name that only this machine or its network gives out."""
    try:
        name = urlsplit(b"//" + host).hostname
        text = (name or b"").decode("ascii").rstrip(".")
    except ValueError:
        return False
    if text == "localhost" or text.endswith(_LOCAL_NAMES):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def bearer(authorization: bytes) -> str | None:
    """Returns the key in an `Authorization` header, None if there is none."""
    scheme, _, key = authorization.partition(b" ")
    return key.strip().decode("latin-1") or None if scheme.lower() == b"bearer" else None
