"""Inserts of many rows and pages of lists, in few SQL statements."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeVarTuple

from sqlalchemy import Column, Connection, Row, Select, Table, tuple_

from antiphon.store.errors import CursorNotFound
from antiphon.wire.lists import PageQuery

_MOST_ROWS = 32
"""The most rows per statement; drivers cache one statement per number of rows."""


class Insert:
    """An insert of many rows per statement.

    An `executemany` would be slower, because the driver lets other threads run after each row.

    Args:
        table: The table.
        on_conflict: SQL for rows that already exist; without it, they are an error.
    """

    def __init__(self, table: Table, on_conflict: str = "") -> None:
        self._width = len(table.columns)
        columns = ", ".join(table.columns.keys())
        self._into = f"INSERT INTO {table.name} ({columns}) VALUES "  # noqa: S608 (our own names)
        self._on_conflict = on_conflict
        self._text = lru_cache(self._statement)

    def __call__(self, connection: Connection, rows: Sequence[Iterable[str | float | None]]) -> int:
        """Insert rows, tuples with a value for each column; return how many were inserted."""
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


def begin_sqlite(connection: Connection) -> None:
    """Begin a transaction of SQLite, as the execution options say."""
    # A transaction that reads first and then writes fails at once if another process has written in between,
    # regardless of the busy timeout. BEGIN IMMEDIATE waits instead (https://sqlite.org/lang_transaction.html).
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
