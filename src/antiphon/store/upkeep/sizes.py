"""Sizes of the tables of a database."""

from msgspec import Struct
from sqlalchemy import Connection, func, inspect, select, table, text
from sqlalchemy.exc import OperationalError

_WORDS = ("chunk_terms", "search_texts")
"""The indexes of words, which SQLite keeps in several tables."""


class TableSize(Struct, frozen=True):
    """The size of a table."""

    name: str
    """The name of the table."""
    rows: int
    """The number of rows."""
    bytes: int | None
    """The size with indexes; None if this build of SQLite can't measure it."""


def table_sizes(connection: Connection) -> list[TableSize]:
    """Return the sizes of all tables, the largest first."""
    names = [name for name in inspect(connection).get_table_names() if _shown(name) == name]
    sizes = _postgresql(connection, names) if connection.dialect.name == "postgresql" else _sqlite(connection)
    found = [TableSize(name, _rows(connection, name), sizes.get(name)) for name in names]
    return sorted(found, key=lambda each: (-(each.bytes or 0), each.name))


def _rows(connection: Connection, name: str) -> int:
    return connection.execute(select(func.count()).select_from(table(name))).scalar_one()


def _postgresql(connection: Connection, names: list[str]) -> dict[str, int]:
    size = text("SELECT pg_total_relation_size(to_regclass(quote_ident(:name)))")
    return {name: int(connection.execute(size, {"name": name}).scalar_one()) for name in names}


def _sqlite(connection: Connection) -> dict[str, int]:
    """Return the sizes by table, from a virtual table that not every build of SQLite has."""
    query = text(
        "SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_master USING (name) "
        "WHERE aggregate = TRUE GROUP BY tbl_name"
    )
    try:
        found = connection.execute(query).all()
    except OperationalError:
        return {}
    sizes: dict[str, int] = {}
    for name, size in found:
        sizes[_shown(name)] = sizes.get(_shown(name), 0) + int(size)
    return sizes


def _shown(name: str) -> str:
    """Return the table to which a table belongs."""
    return next((words for words in _WORDS if name.startswith(f"{words}_")), name)
