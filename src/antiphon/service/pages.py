"""Pages of lists."""

from collections.abc import Sequence
from typing import TypeVar

from antiphon.wire.lists import Page

T = TypeVar("T")


def page_of(data: list[T], ids: Sequence[str], *, has_more: bool = False) -> Page[T]:
    """Return the page that holds `data`, whose entries have these IDs."""
    return Page(
        data=data,
        first_id=ids[0] if ids else None,
        has_more=has_more,
        last_id=ids[-1] if ids else None,
    )
