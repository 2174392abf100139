"""Pages of lists, and records that belong to an owner."""

from collections.abc import Sequence
from typing import Generic, TypeVar, TypeVarTuple

from msgspec import Struct
from sqlalchemy import Column, Connection, Row, Select, Table, select, tuple_

from antiphon.store.database import Database
from antiphon.store.errors import CursorNotFound, ObjectNotFound
from antiphon.wire.lists import PageQuery

Ts = TypeVarTuple("Ts")
R = TypeVar("R", bound=Struct)


class Rows(Struct, Generic[R], frozen=True):
    """A page of a list."""

    rows: list[R]
    """The records of the page."""
    has_more: bool
    """Whether there are more records after the page."""


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


class OwnedRecords(Generic[R]):
    """The records of a table with the columns `id`, `owner` and `created_at`.

    Args:
        database: The database.
        table: The table.
        record: The record of a row; its fields are columns.
        kind: The name of the objects in errors.
    """

    def __init__(self, database: Database, table: Table, record: type[R], kind: str) -> None:
        self._database = database
        self._table = table
        self._record = record
        self._kind = kind
        self._columns = [table.c[name] for name in record.__struct_fields__]

    async def get(self, owner: str, object_id: str) -> R:
        """Return a record.

        Raises:
            ObjectNotFound: The owner has no such object.
        """
        table = self._table
        mine = select(*self._columns).where(table.c.id == object_id, table.c.owner == owner)
        row = await self._database.read(lambda c: c.execute(mine).one_or_none())
        if row is None:
            raise ObjectNotFound(self._kind, object_id)
        return self._record(**row._asdict())

    async def page(self, owner: str, query: PageQuery) -> Rows[R]:
        """Return a page of the owner's records.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        table = self._table
        listed = select(*self._columns).where(table.c.owner == owner)
        rows, has_more = await self._database.read(
            lambda c: page_by_time(c, listed, (table.c.created_at, table.c.id), query)
        )
        return Rows([self._record(**row._asdict()) for row in rows], has_more)
