"""Routing of requests to their endpoints."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from antiphon.server.edge.answers import not_allowed, not_found
from antiphon.server.edge.idempotency import IDEMPOTENCY_KEY, IdempotentPosts
from antiphon.server.edge.state import ServerState, headers_of
from antiphon.wire.json import JSONObject

BASE_PATH = "/v1"
"""Path with which the base URL of the API ends."""

Endpoint = Callable[[Request], Awaitable[Response]]


class Application:
    """Routes over the state that their endpoints share, which is `request.app.state`.

    Fixed paths have a table, because Starlette's router tries one route after another. The router serves
    everything else. Requests with an `Idempotency-Key` are served once per key.
    """

    def __init__(self, routes: Sequence[BaseRoute], state: ServerState) -> None:
        self.routes = routes
        self.state = state
        self.description: JSONObject | None = None
        """The OpenAPI document, from the first request for it on."""
        self._fixed: dict[tuple[str, str], Endpoint] = {
            (method, route.path): route.endpoint
            for route in routes
            if isinstance(route, Route) and not route.param_convertors
            for method in route.methods or ()
        }
        self._idempotent = IdempotentPosts(self._serve, state.services.idempotency)
        self._router = Router(routes, redirect_slashes=False, default=self._no_route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        scope["app"] = self
        serve = self._idempotent if IDEMPOTENCY_KEY in headers_of(scope) else self._serve
        await serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            endpoint = self._fixed.get((scope["method"], scope["path"]))
            if endpoint is not None:
                response = await endpoint(Request(scope, receive))
                await response(scope, receive, send)
                return
        try:
            await self._router(scope, receive, send)
        except HTTPException as error:
            await self._refusal(error, scope)(scope, receive, send)

    def _refusal(self, error: HTTPException, scope: Scope) -> Response:
        """Return the API's form of Starlette's error, or raise an unknown one again."""
        request = Request(scope)
        if error.status_code == 404:
            return not_found(request, self._path_in_api(scope))
        if error.status_code == 405:
            matching = [route for route in self.routes if route.matches(scope)[0] is Match.PARTIAL]
            methods = [route.methods or () for route in matching if isinstance(route, Route)]
            return not_allowed(request, {method for each in methods for method in each})
        raise error

    async def _no_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_websocket = scope["type"] == "websocket"
        answer = WebSocketClose() if is_websocket else not_found(Request(scope), self._path_in_api(scope))
        await answer(scope, receive, send)

    def _path_in_api(self, scope: Scope) -> str | None:
        """Return the path of a request below the API's base URL, if there is a route for it."""
        path = BASE_PATH + scope["path"]
        exists = any(route.matches({**scope, "path": path})[0] is not Match.NONE for route in self.routes)
        return path if exists else None


def route_of(routes: Sequence[BaseRoute]) -> Callable[[str], str]:
    """Return a function that returns the route of a path, such as `/v1/responses/{response_id}`.

    A path without a route has `other`, so that clients can't make up values.
    """
    known = [route for route in routes if isinstance(route, Route | WebSocketRoute)]
    fixed = {route.path for route in known if not route.param_convertors}
    patterns = [(route.path_regex, route.path) for route in known if route.param_convertors]

    def found(path: str) -> str:
        if path in fixed:
            return path
        return next((route for pattern, route in patterns if pattern.match(path)), "other")

    return found
