"""The ASGI application."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from antiphon.engine.ports import ModelCatalogue
from antiphon.errors import AntiphonError
from antiphon.recording.freeze import Freeze
from antiphon.server import conversations, files, models, responses, vector_stores
from antiphon.server.access import AccessLog
from antiphon.server.answers import on_disconnect, on_error, on_fault, on_http_exception
from antiphon.service.chat import ChatCompletions
from antiphon.service.conversations import Conversations
from antiphon.service.embeddings import Embeddings
from antiphon.service.file_services import FileServices
from antiphon.service.responses import Responses
from antiphon.store import Store

DEFAULT_MAX_BODY_BYTES = 100 * 1024 * 1024


def create_app(
    store: Store,
    catalogue: ModelCatalogue,
    *,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    recording_header: bool = False,
    freeze: Freeze | None = None,
    file_services: FileServices | None = None,
) -> ASGIApp:
    """Returns the application over an open store and catalogue; whoever opened them closes them.

    With `recording_header` requests may choose a mode and faults; `freeze` makes their ids and times.
    Without `file_services` there are no files and no vector stores.
    """
    keeps_files = [] if file_services is None else [*files.routes, *vector_stores.routes]
    app = Starlette(
        routes=[*responses.routes, *conversations.routes, *models.routes, *keeps_files],
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
    app.state.file_services = file_services
    app.state.catalogue = catalogue
    app.state.chat = ChatCompletions(catalogue)
    app.state.embeddings = Embeddings(catalogue)
    app.state.conversations = Conversations(store)
    attachments = None if file_services is None else file_services.attachments
    app.state.responses = Responses(store, catalogue, attachments=attachments)
    # Around all of it, and not a middleware: Starlette answers for faults outside of those.
    return AccessLog(app)
