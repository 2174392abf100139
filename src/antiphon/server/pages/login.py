"""Signing in and out."""

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.state import headers_of, services_of
from antiphon.server.pages.access import LOGIN, read_form, sealing_of
from antiphon.server.pages.frame import Shown, html
from antiphon.server.pages.sessions import cookie_of, new_session, no_cookie
from antiphon.service.access.errors import InvalidApiKey
from antiphon.service.access.keys import hash_of


class LoginView(Struct):
    """The form, and the message about the key before."""

    next: str
    message: str = ""


async def form(request: Request) -> Response:
    """Return the form."""
    return await _form(request, LoginView(_next(request.query_params.get("next", ""))))


async def sign_in(request: Request) -> Response:
    """Begin a session with the owner of a key."""
    fields = await read_form(request)
    after, key = _next(fields.get("next", "")), fields.get("key", "").strip()
    try:
        await services_of(request).keys.caller(key or None)
    except InvalidApiKey as error:
        return await _form(request, LoginView(after, error.message), 401)
    headers = headers_of(request.scope)
    # A new session, with a new token: someone else may have set the cookie of the old one.
    cookie = cookie_of(new_session(hash_of(key)), headers, sealing_of(request))
    return RedirectResponse(after, 303, {"set-cookie": cookie, "cache-control": "no-store"})


async def sign_out(request: Request) -> Response:
    """End the session of this browser."""
    await read_form(request)
    ended = {"set-cookie": no_cookie(headers_of(request.scope)), "cache-control": "no-store"}
    return RedirectResponse(LOGIN, 303, ended)


async def _form(request: Request, view: LoginView, status: int = 200) -> Response:
    return await html(request, "login.html", Shown("Sign in", view), status, has_twin=False)


def _next(address: str) -> str:
    """Return the page after signing in, which is one of these pages in any case."""
    inside = address == PAGES or address.startswith((f"{PAGES}/", f"{PAGES}?"))
    return address if inside and address.isprintable() and "\\" not in address else PAGES


routes = [
    Route(LOGIN, form, methods=["GET"]),
    Route(LOGIN, sign_in, methods=["POST"]),
    Route(f"{PAGES}/logout", sign_out, methods=["POST"]),
]
