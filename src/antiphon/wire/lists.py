"""Pages of a list."""

from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")


Order = Literal["asc", "desc"]


class PageQuery(Struct, frozen=True, kw_only=True):
    """Which page of a list is asked for: `limit` entries in `order`, from behind the entry `after`.

    With `before` they are the last ones in front of that entry; only the lists of vector stores take it.
    """

    limit: int = 20
    order: Order = "desc"
    after: str | None = None
    before: str | None = None


class Page(Struct, Generic[T], kw_only=True):
    """One page, in the order asked for; `first_id` and `last_id` are null on an empty page (recorded)."""

    object: Literal["list"] = "list"
    data: list[T]
    first_id: str | None
    has_more: bool
    last_id: str | None
