"""Access to the pages: the API's keys and owners, with a session in place of the header."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import InvalidRequest, RequestTooLarge
from antiphon.server.edge.authentication import PAGES, bearer, check_site
from antiphon.server.edge.requests import owner_of
from antiphon.server.edge.state import headers_of, request_state, server_state
from antiphon.server.pages.sessions import PageRefused, Session, check_token, new_session, session_of
from antiphon.service.access.errors import InvalidApiKey
from antiphon.service.access.keys import Caller
from antiphon.service.responses.sealing import Sealing

LOGIN = f"{PAGES}/login"
DATA = ".json"
"""End of the paths of JSON."""
_OPEN = (LOGIN, f"{PAGES}/static/")
"""Starts of the paths that need no key."""
_VISIT = "antiphon.visit"
_MOST_FORM = 1024 * 1024
"""Bytes of a form."""
_MOST_FIELDS = 50


@dataclass(frozen=True)
class Visit:
    """A request of a browser."""

    session: Session
    """The session, which may be new."""
    is_new: bool
    """Whether the browser has yet to receive the session's cookie."""

    @property
    def is_signed_in(self) -> bool:
        """Whether the browser has signed in with a key."""
        return self.session.key_hash is not None


async def admit(request: Request) -> Response | None:
    """Check the access of a request, and note its visit and its client.

    Returns:
        The way to the form, if a person has to sign in first; None for everyone else.

    Raises:
        InvalidApiKey: A program has to send a key.
        OriginNotAllowed: A page of another site sent the request.
        HostNotAllowed: The host isn't this machine's.
    """
    headers, server = headers_of(request.scope), server_state(request)
    keys, path = server.services.keys, request.url.path
    session = session_of(headers, sealing_of(request))
    request.scope[_VISIT] = Visit(session or new_session(), session is None)
    if not await keys.is_needed():
        check_site(headers.get(b"host", b""), headers.get(b"origin"), is_local=server.is_local)
        caller = keys.without_key()
    elif path.startswith(_OPEN):
        return None
    elif b"authorization" in headers:
        caller = await keys.caller(bearer(headers[b"authorization"]))
    else:
        caller = await _signed_in(request, session)
        if caller is None and path.endswith(DATA):
            raise InvalidApiKey(None)
        if caller is None:
            return RedirectResponse(f"{LOGIN}?next={quote(_address(request), safe='/')}", 303)
    if caller is not None:
        state = request_state(request.scope)
        state.caller, state.record.key = caller, caller.name
        if request.method == "POST":
            await caller.begin_request()
    return None


async def _signed_in(request: Request, session: Session | None) -> Caller | None:
    """Return the client of a session; None if it has not signed in, or its key was revoked."""
    # A form of another site could send a POST request to JSON's path, where no token is checked.
    is_call = request.method == "POST" and request.url.path.endswith(DATA)
    if session is None or session.key_hash is None or is_call:
        return None
    return await server_state(request).services.keys.holder(session.key_hash)


def _address(request: Request) -> str:
    """Return the address to go back to after signing in."""
    query = request.url.query if request.method == "GET" else ""
    return f"{request.url.path}?{query}" if query else request.url.path


def visit_of(scope: Scope) -> Visit:
    """Return the visit of a request."""
    visit: Visit = scope[_VISIT]
    return visit


def sealing_of(connection: HTTPConnection) -> Sealing:
    """Return the encryption of sessions."""
    sealing = server_state(connection).services.sealing
    assert sealing is not None
    return sealing


def is_operator(connection: HTTPConnection) -> bool:
    """Return whether the client may see the whole server."""
    return owner_of(connection) == LOCAL_OWNER


def require_operator(connection: HTTPConnection) -> None:
    """Reject clients that may not see the whole server.

    Raises:
        PageRefused: The client may not.
    """
    if not is_operator(connection):
        raise PageRefused(
            f"This page is about the whole server. Only keys of the owner '{LOCAL_OWNER}' may see it. "
            f"Create one with `antiphon keys create --owner {LOCAL_OWNER}`.",
            code="operator_only",
        )


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        PageRefused: The form doesn't have the token of the session.
        InvalidRequest: The body isn't a form.
        RequestTooLarge: The form is too large.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM:
            raise RequestTooLarge(f"The form is larger than {_MOST_FORM} bytes.")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise InvalidRequest(
            "The body has another form than that of an HTML form.", code="invalid_form"
        ) from None
    visit = visit_of(request.scope)
    check_token(None if visit.is_new else visit.session, fields.pop("token", ""))
    return fields
