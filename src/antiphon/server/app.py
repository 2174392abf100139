"""The ASGI application."""

from types import SimpleNamespace

from starlette.types import ASGIApp

from antiphon.recording.seam.frozen import Freeze
from antiphon.server.edge.authentication import Authentication
from antiphon.server.edge.boundary import Boundary
from antiphon.server.edge.idempotency import IdempotentPosts
from antiphon.server.edge.routing import Application
from antiphon.server.routes import (
    about,
    conversations,
    files,
    models,
    passthrough,
    prompts,
    responses,
    vector_stores,
    websocket,
)
from antiphon.service.services import Services
from antiphon.settings.schema import ReasoningEvents

DEFAULT_MAX_BODY_BYTES = 100 * 1024 * 1024
ROUTES = [
    *responses.routes,
    *websocket.routes,
    *conversations.routes,
    *models.routes,
    *files.routes,
    *vector_stores.routes,
    *prompts.routes,
    *passthrough.routes,
    *about.routes,
]


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
    state = SimpleNamespace(
        max_body_bytes=max_body_bytes,
        recording_header=recording_header,
        freeze=freeze,
        reasoning_events=reasoning_events,
        file_services=services.files,
        keys=services.keys,
        catalogue=services.catalogue,
        chat=services.chat,
        embeddings=services.embeddings,
        conversations=services.conversations,
        responses=services.responses,
        prompts=services.prompts,
        completions=services.completions,
    )
    app = IdempotentPosts(Application(ROUTES, state), services.idempotency)
    return Boundary(Authentication(app, services.keys, is_local=is_local))
