"""The page of the queue of background responses."""

from starlette.requests import Request

from antiphon.server.edge.authentication import PAGES
from antiphon.server.edge.requests import owner_of
from antiphon.server.edge.state import store_of
from antiphon.server.pages.frame import Shown, page
from antiphon.viewer.views import QueueView

_MOST = 200


async def queue(request: Request) -> Shown:
    """Show the background responses that wait or run."""
    found = await store_of(request).runs.open(owner_of(request), _MOST)
    return Shown("Queue", QueueView(data=found, most=_MOST))


routes = [*page(f"{PAGES}/queue", "queue.html", queue)]
