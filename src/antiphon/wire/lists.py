"""Pages of lists."""

from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")


Order = Literal["asc", "desc"]
"""Order of a list by creation."""


class PageQuery(Struct, frozen=True, kw_only=True):
    """Query for a page of a list."""

    limit: int = 20
    """Maximum number of entries."""
    order: Order = "desc"
    after: str | None = None
    """ID of the entry that precedes the page."""
    before: str | None = None
    """ID of the entry that follows the page; only lists of vector stores accept it."""


class Page(Struct, Generic[T], kw_only=True):
    """Page in the requested order; `first_id` and `last_id` are null if it is empty."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None
    has_more: bool
    last_id: str | None
