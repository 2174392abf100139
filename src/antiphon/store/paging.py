"""Pages of lists."""

from collections.abc import Sequence
from typing import TypeVarTuple

from sqlalchemy import Column, Connection, Row, Select, tuple_

from antiphon.store.errors import CursorNotFound
from antiphon.wire.lists import PageQuery

Ts = TypeVarTuple("Ts")


def page_by_time(
    connection: Connection, listed: Select[*Ts], key: tuple[Column[float], Column[str]], query: PageQuery
) -> tuple[Sequence[Row[*Ts]], bool]:
    """Return a page of a list, and whether there are more rows after it.

    Args:
        connection: The connection to use.
        listed: The query for the whole list.
        key: The columns for the time of creation and the ID, which order the list and resolve cursors.
        query: The requested page.

    Raises:
        CursorNotFound: The cursor isn't in the list.
    """
    created_at, entry_id = key
    cursor = query.after if query.before is None else query.before
    backwards = query.before is not None
    upwards = (query.order == "asc") != backwards
    if cursor is not None:
        at = connection.execute(listed.with_only_columns(created_at).where(entry_id == cursor)).scalar()
        if at is None:
            raise CursorNotFound(cursor, "before" if backwards else "after")
        place = tuple_(created_at, entry_id)
        listed = listed.where(place > (at, cursor) if upwards else place < (at, cursor))
    order = key if upwards else (created_at.desc(), entry_id.desc())
    found = connection.execute(listed.order_by(*order).limit(query.limit + 1)).all()
    page = found[: query.limit]
    return page[::-1] if backwards else page, len(found) > query.limit
