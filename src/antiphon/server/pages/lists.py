"""Pages of lists: their queries and addresses."""

from urllib.parse import urlencode

from starlette.requests import Request

from antiphon.server.edge.requests import page_query
from antiphon.wire.lists import PageQuery

SIZE = 50
"""Entries of a page."""


def query_of(request: Request) -> PageQuery:
    """Return the page that a request names by `after`."""
    return page_query(request, default=SIZE, most=2 * SIZE)


def next_of(request: Request, last_id: str | None, *, has_more: bool) -> str | None:
    """Return the address of the next page, with the same filters."""
    return address(request, after=last_id) if has_more and last_id else None


def first_of(request: Request) -> str | None:
    """Return the address of the first page; None on the first page itself."""
    return address(request, after=None) if "after" in request.query_params else None


def address(request: Request, **changes: str | None) -> str:
    """Return the address of a page with other parameters; None removes one."""
    query = dict(request.query_params) | changes
    given = urlencode({name: value for name, value in query.items() if value})
    path = request.url.path.removesuffix(".json")
    return f"{path}?{given}" if given else path
