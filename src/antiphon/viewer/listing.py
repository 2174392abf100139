"""View models of the list of responses."""

from msgspec import Struct

from antiphon.wire.log import LogEntry


class Filters(Struct, kw_only=True, frozen=True):
    """Conditions on the list of responses, as in its address; empty ones don't apply."""

    q: str = ""
    """Words of the input or the output."""
    status: str = ""
    model: str = ""
    tool: str = ""
    conversation: str = ""
    key: str = ""
    since: str = ""
    """Duration before now, such as `15m`."""
    errors: str = ""
    """Not empty for failed responses and refused requests alone."""


class ResponsesView(Struct, kw_only=True):
    """The list of responses."""

    data: list[LogEntry]
    filters: Filters
    is_filtered: bool
    statuses: list[str]
    """Values of the filter `status`."""
    next: str | None
    """Address of the next page."""
    first: str | None
    """Address of the first page, on another one."""
    live: str | None
    """Address of the stream of changed rows; None for a page that doesn't change."""
    most: int
    """Largest number of rows."""
