"""The page of the server: backends and settings."""

from starlette.requests import Request

from antiphon import __version__
from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.state import server_state
from antiphon.server.pages.access import require_operator
from antiphon.server.pages.frame import Shown, page
from antiphon.viewer import settings as shown
from antiphon.viewer.views import ServerView

_PATIENCE = 1.0
"""Seconds to wait for the health of backends."""


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


routes = page(f"{PAGES}/server", "server.html", server)
