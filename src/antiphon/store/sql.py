"""Many rows in one statement: the driver lets other threads run for each row of an `executemany`."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeVarTuple

from sqlalchemy import Column, Connection, Row, Select, Table, tuple_

from antiphon.store.errors import CursorNotFound
from antiphon.wire.lists import PageQuery

_MOST_ROWS = 32
"""Rows of one statement: each number of rows is a text of its own, which drivers prepare once and keep."""


class Insert:
    """Inserts rows of `table`: tuples with a value for each of its columns, in their order.

    `on_conflict` is SQL for a row that is there already; without it, it is an error.
    """

    def __init__(self, table: Table, on_conflict: str = "") -> None:
        self._width = len(table.columns)
        columns = ", ".join(table.columns.keys())
        self._into = f"INSERT INTO {table.name} ({columns}) VALUES "  # noqa: S608 (names of ours)
        self._on_conflict = on_conflict
        self._text = lru_cache(self._statement)

    def __call__(self, connection: Connection, rows: Sequence[Iterable[str | float | None]]) -> int:
        """Returns how many rows were inserted."""
        sign = "?" if connection.dialect.positional else "%s"
        inserted = 0
        for start in range(0, len(rows), _MOST_ROWS):
            some = rows[start : start + _MOST_ROWS]
            statement = self._text(len(some), sign)
            inserted += connection.exec_driver_sql(statement, tuple(chain.from_iterable(some))).rowcount
        return inserted

    def _statement(self, rows: int, sign: str) -> str:
        row = f"({', '.join([sign] * self._width)})"
        return f"{self._into}{', '.join([row] * rows)} {self._on_conflict}"


Ts = TypeVarTuple("Ts")


def page_by_time(
    connection: Connection, listed: Select[*Ts], key: tuple[Column[float], Column[str]], query: PageQuery
) -> tuple[Sequence[Row[*Ts]], bool]:
    """Returns the rows of the page of `listed` that is asked for, and whether there are more behind it.

    `key` is the time of creation and the id, by which the list is ordered and in which cursors are sought.
    Raises `CursorNotFound`.
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
