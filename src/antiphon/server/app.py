"""The ASGI application."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from antiphon.config import ReasoningEvents
from antiphon.errors import AntiphonError
from antiphon.recording.freeze import Freeze
from antiphon.server import (
    about,
    completions,
    conversations,
    files,
    models,
    prompts,
    responses,
    vector_stores,
    websocket,
)
from antiphon.server.access import AccessLog
from antiphon.server.answers import on_disconnect, on_error, on_fault, on_http_exception
from antiphon.server.authentication import Authentication
from antiphon.server.idempotency import IdempotentPosts
from antiphon.server.slow_bodies import SlowBodies
from antiphon.service.services import Services

DEFAULT_MAX_BODY_BYTES = 100 * 1024 * 1024


def create_app(
    services: Services,
    *,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    recording_header: bool = False,
    freeze: Freeze | None = None,
    is_local: bool = False,
    reasoning_events: ReasoningEvents = "openai",
) -> ASGIApp:
    """Returns the application over open services; whoever opened them closes them.

    With `recording_header` requests may choose a mode and faults; `freeze` makes their ids and times. A
    server that `is_local` is reached from its own machine alone.
    """
    app = Starlette(
        routes=[
            *responses.routes,
            *websocket.routes,
            *conversations.routes,
            *models.routes,
            *files.routes,
            *vector_stores.routes,
            *prompts.routes,
            *completions.routes,
            *about.routes,
        ],
        exception_handlers={
            AntiphonError: on_error,
            HTTPException: on_http_exception,
            ClientDisconnect: on_disconnect,
            Exception: on_fault,
        },
    )
    app.router.redirect_slashes = False
    app.state.max_body_bytes = max_body_bytes
    app.state.recording_header = recording_header
    app.state.freeze = freeze
    app.state.reasoning_events = reasoning_events
    app.state.file_services = services.files
    app.state.keys = services.keys
    app.state.catalogue = services.catalogue
    app.state.chat = services.chat
    app.state.embeddings = services.embeddings
    app.state.conversations = services.conversations
    app.state.responses = services.responses
    app.state.prompts = services.prompts
    app.state.completions = services.completions
    # Around all of it, and not a middleware: Starlette answers for faults outside of those.
    inner = SlowBodies(IdempotentPosts(app, services.idempotency))
    return AccessLog(Authentication(inner, services.keys, is_local=is_local))
