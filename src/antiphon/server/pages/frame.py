"""Pages: their frame, their headers, and their twins in JSON."""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from antiphon import __version__
from antiphon.engine.slices import in_thread
from antiphon.errors import AntiphonError, NotFound
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import owner_of
from antiphon.server.edge.state import headers_of
from antiphon.server.pages.access import DATA, is_operator, sealing_of, visit_of
from antiphon.server.pages.sessions import cookie_of
from antiphon.viewer.render import STATIC, render

SAFE = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # With `no-referrer`, the origin of forms would be `null`, as that of another site.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
"""Headers of every page: nothing foreign is loaded, and no other site can frame or read it."""


class Section(NamedTuple):
    """An entry of the navigation."""

    name: str
    path: str
    is_for_operator: bool = False


SECTIONS = (
    Section("Responses", f"{PAGES}/responses"),
    Section("Conversations", f"{PAGES}/conversations"),
    Section("Files", f"{PAGES}/files"),
    Section("Vector stores", f"{PAGES}/vector_stores"),
    Section("Background", f"{PAGES}/queue"),
    Section("Recordings", f"{PAGES}/recordings", True),
    Section("Server", f"{PAGES}/server", True),
)


class Shown(NamedTuple):
    """The content of a page."""

    title: str
    view: object
    """View model: the template's `view`, and the twin in JSON."""


Build = Callable[[Request], Awaitable[Shown]]
"""Returns the content of a page for a request."""


def page(path: str, template: str, build: Build) -> list[Route]:
    """Return the routes of a page and of its twin in JSON."""

    async def shown(request: Request) -> Response:
        return await html(request, template, await build(request))

    async def data(request: Request) -> Response:
        return json_answer((await build(request)).view, headers=SAFE)

    return [Route(path + DATA, data, methods=["GET"]), Route(path, shown, methods=["GET"])]


async def html(
    request: Request, template: str, content: Shown, status: int = 200, *, has_twin: bool = True
) -> Response:
    """Return a page, rendered by a thread."""
    visit, operator = visit_of(request.scope), is_operator(request)
    path, query = request.url.path, request.url.query
    frame = {
        "title": content.title,
        "version": _static_version(),
        "sections": [each for each in SECTIONS if operator or not each.is_for_operator],
        "section": "/".join(path.split("/")[:3]),
        "token": visit.session.token,
        "owner": owner_of(request),
        "signed_in": visit.is_signed_in,
        "twin": f"{path}{DATA}{'?' if query else ''}{query}" if has_twin else None,
    }
    text = await in_thread(lambda: render(template, {"page": frame, "view": content.view}))
    headers = dict(SAFE)
    if visit.is_new:
        headers["set-cookie"] = cookie_of(visit.session, headers_of(request.scope), sealing_of(request))
    return HTMLResponse(text, status, headers)


async def error_page(request: Request, error: AntiphonError) -> Response:
    """Return the page of an error."""
    title = {401: "Sign in first", 403: "Not allowed", 404: "Not found"}.get(error.status, "Error")
    answer = await html(request, "error.html", Shown(title, error.body()), error.status, has_twin=False)
    for name, value in error.headers.items():
        answer.headers[name] = value
    return answer


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Return the content and the media type of each static file by its name."""
    types = {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
    }
    return {file.name: (file.read_bytes(), types[file.suffix]) for file in sorted(STATIC.iterdir())}


async def static(request: Request) -> Response:
    """Return the style sheet, the script or the icon."""
    name = request.path_params["name"]
    if name not in static_files():
        raise missing(request)
    content, media_type = static_files()[name]
    kept = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(content, headers=SAFE | kept, media_type=media_type)


def missing(request: Request) -> AntiphonError:
    """Return the error for a path without a page."""
    return NotFound(f"There is no page at {request.url.path[:200]}.")


@cache
def _static_version() -> str:
    """Return a text that changes with the static files, because browsers keep them."""
    digest = hashlib.sha256(__version__.encode())
    for content, _ in static_files().values():
        digest.update(content)
    return base64.urlsafe_b64encode(digest.digest()[:9]).decode()
