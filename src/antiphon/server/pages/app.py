"""The application of the pages."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from antiphon.errors import AntiphonError
from antiphon.observe.record import NO_ANSWER
from antiphon.server.edge.answers import not_allowed
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.state import ServerState, record_of, request_state
from antiphon.server.pages import (
    conversations,
    files,
    forks,
    listing,
    login,
    recordings,
    responses,
    server,
)
from antiphon.server.pages.access import DATA, admit
from antiphon.server.pages.frame import error_page, missing, static


async def home(request: Request) -> Response:
    """Lead to the list of responses."""
    return RedirectResponse(f"{PAGES}/responses", 303, {"cache-control": "no-store"})


ROUTES = [
    Route("/", home, methods=["GET"]),
    Route(PAGES, home, methods=["GET"]),
    Route(f"{PAGES}/static/{{name}}", static, methods=["GET"]),
    *login.routes,
    *listing.routes,
    *forks.routes,
    *responses.routes,
    *conversations.routes,
    *files.routes,
    *recordings.routes,
    *server.routes,
]


class Pages:
    """The pages as an application: its endpoints find their state as those of the API do.

    Errors are pages, and the API's envelope where JSON was requested.
    """

    def __init__(self, state: ServerState) -> None:
        self.state = state
        self._router = Router(ROUTES, redirect_slashes=False, default=self._no_page)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        scope["app"] = self
        request = Request(scope, receive)
        try:
            await (await admit(request) or self._router)(scope, receive, send)
        except HTTPException as error:
            if error.status_code != 405:
                raise
            allowed = (error.headers or {}).get("Allow", "").split(", ")
            await not_allowed(request, allowed)(scope, receive, send)
        except AntiphonError as error:
            if scope["path"].endswith(DATA) or record_of(request).status != NO_ANSWER:
                raise
            record_of(request).error = error.with_traceback(None)
            answer = await error_page(request, error)
            await answer(scope, receive, send)
        finally:
            caller = request_state(scope).caller
            if caller is not None:
                caller.end_stream()

    async def _no_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise missing(Request(scope))
