"""Which endpoint answers a request."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose

from antiphon.server.edge.answers import not_allowed, not_found
from antiphon.server.edge.state import ServerState
from antiphon.wire.json import JSONObject

Endpoint = Callable[[Request], Awaitable[Response]]


class Application:
    """The routes over the state that their endpoints share, which is `request.app.state`.

    Routes are Starlette's, and so is how they match. Its application around them, which keeps its own
    errors, is not: a third of what a short request costs would be spent there.
    """

    def __init__(self, routes: Sequence[BaseRoute], state: ServerState) -> None:
        self.routes = routes
        self.state = state
        self.description: JSONObject | None = None
        """The OpenAPI document, once it was asked for."""
        self._fixed: dict[tuple[str, str], Endpoint] = {
            (method, route.path): route.endpoint
            for route in routes
            if isinstance(route, Route) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        endpoint = self._fixed.get((scope["method"], scope["path"])) or self._find(scope)
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Endpoint:
        """Returns the endpoint of a path with parameters, or what answers where there is none."""
        allowed: set[str] = set()
        for route in self.routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                endpoint: Endpoint = found["endpoint"]
                return endpoint
            if match is Match.PARTIAL and isinstance(route, Route):
                allowed |= route.methods or set()
        return not_allowed(allowed) if allowed else not_found

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        for route in self.routes:
            if isinstance(route, WebSocketRoute) and route.matches(scope)[0] is Match.FULL:
                await route.endpoint(WebSocket(scope, receive, send))
                return
        await WebSocketClose()(scope, receive, send)
