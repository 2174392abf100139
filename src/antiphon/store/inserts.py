"""Many rows in one statement: the driver lets other threads run for each row of an `executemany`."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from sqlalchemy import Connection, Table

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
