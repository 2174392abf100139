"""The ASGI application."""

import asyncio
from functools import cache

from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.server.edge.authentication import Authentication
from antiphon.server.edge.boundary import Boundary
from antiphon.server.edge.routing import Application
from antiphon.server.edge.state import ServerState
from antiphon.server.routes import (
    about,
    batches,
    chat,
    containers,
    conversations,
    messages,
    models,
    passthrough,
    prompts,
    responses,
    webhooks,
    websocket,
)
from antiphon.server.routes.files import files, uploads, vector_stores

ROUTES = [
    *responses.routes,
    *websocket.routes,
    *conversations.routes,
    *messages.routes,
    *models.routes,
    *files.routes,
    *uploads.routes,
    *containers.routes,
    *batches.routes,
    *webhooks.routes,
    *vector_stores.routes,
    *prompts.routes,
    *passthrough.routes,
    *chat.routes,
    *about.routes,
]


def create_app(state: ServerState) -> ASGIApp:
    """Return the application; its services stay open until their owner closes them."""
    app = Application(ROUTES, state)
    pages = _pages(state) if state.has_pages else None
    checked = Authentication(app, state.services.keys, is_local=state.is_local, pages=pages)
    refusals, is_frozen = state.services.refusals, state.freeze is not None
    return Boundary(checked, state.watch, refusals, state.new_record, is_frozen=is_frozen)


def _pages(state: ServerState) -> ASGIApp:
    """Return the pages for people, whose modules are imported with the first request for one."""

    @cache
    def load() -> ASGIApp:
        from antiphon.server.pages.app import Pages

        return Pages(state)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        pages = await asyncio.to_thread(load)
        await pages(scope, receive, send)

    return serve
