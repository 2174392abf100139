"""Pages of the background work, and of the server with its backends and settings."""

from starlette.requests import Request

from antiphon import __version__
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import owner_of
from antiphon.server.edge.state import server_state, services_of
from antiphon.server.pages.access import require_operator
from antiphon.server.pages.frame import Shown, page
from antiphon.server.pages.lists import first_of, next_of, query_of
from antiphon.viewer import settings as shown
from antiphon.viewer.views import QueueView, ServerView

_MOST_RUNS = 200
_PATIENCE = 1.0
"""Seconds to wait for the health of backends."""


async def queue(request: Request) -> Shown:
    """Show the background responses that wait or run, and the latest batches."""
    owner, services = owner_of(request), services_of(request)
    batches = await services.batches.page(owner, query_of(request))
    view = QueueView(
        data=await services.store.runs.open(owner, _MOST_RUNS),
        most=_MOST_RUNS,
        batches=batches.data,
        next=next_of(request, batches.last_id, has_more=batches.has_more),
        first=first_of(request),
    )
    return Shown("Background work", view)


async def server(request: Request) -> Shown:
    """Show the backends and the settings."""
    require_operator(request)
    state = server_state(request)
    catalogue, store, settings = state.services.catalogue, state.services.store, state.settings
    configured = {} if settings is None else settings.models
    health = await catalogue.backend_health(_PATIENCE)
    models = (await catalogue.list_models()).data
    view = ServerView(
        version=__version__,
        database=store.location,
        database_bytes=await store.size(),
        notices=[*catalogue.notices(), *(() if settings is None else settings.notices)],
        backends=shown.backends(health, models, configured),
        tables=[] if settings is None else shown.tables(settings),
    )
    return Shown("Server", view)


routes = [
    *page(f"{PAGES}/queue", "queue.html", queue),
    *page(f"{PAGES}/server", "server.html", server),
]
