"""The ASGI application."""

from starlette.types import ASGIApp

from antiphon.server.edge.authentication import Authentication
from antiphon.server.edge.boundary import Boundary
from antiphon.server.edge.routing import Application
from antiphon.server.edge.state import ServerState
from antiphon.server.routes import (
    about,
    batches,
    conversations,
    files,
    models,
    passthrough,
    prompts,
    responses,
    vector_stores,
    websocket,
)

ROUTES = [
    *responses.routes,
    *websocket.routes,
    *conversations.routes,
    *models.routes,
    *files.routes,
    *batches.routes,
    *vector_stores.routes,
    *prompts.routes,
    *passthrough.routes,
    *about.routes,
]


def create_app(state: ServerState) -> ASGIApp:
    """Return the application; its services stay open until their owner closes them."""
    app = Application(ROUTES, state)
    return Boundary(Authentication(app, state.services.keys, is_local=state.is_local), state.watch)
