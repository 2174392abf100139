"""Counters of the files of each vector store, which triggers update.

A vector store can have very many files, and every response about it contains their numbers. Triggers notice
every file that is added, changed or removed, including deletions that cascade.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, Table, event, func, select, text, update

from antiphon.store.tables import add_column, vector_store_files, vector_stores
from antiphon.wire.vector_stores import FileCounts

STATUSES = ("in_progress", "completed", "failed", "cancelled")
"""The statuses that are counted, which are also the names of their counters."""
COUNTERS = (*STATUSES, "usage_bytes")
"""The columns of `vector_stores` that triggers update; `usage_bytes` is the sum of the completed files."""


def _count(row: str, sign: str, number: str = "") -> str:
    """Return the statement that adds a row to the counters, or subtracts it."""
    counts = [f"{name} = {name} {sign} ({row}.status = '{name}'){number}" for name in STATUSES]
    size = f"usage_bytes = usage_bytes {sign} ({row}.status = 'completed'){number} * {row}.usage_bytes"
    counted = ", ".join([*counts, size])
    return f"UPDATE vector_stores SET {counted} WHERE id = {row}.vector_store_id;"  # noqa: S608


_SQLITE = (
    "CREATE TRIGGER IF NOT EXISTS vector_store_files_added AFTER INSERT ON vector_store_files "
    f"BEGIN {_count('new', '+')} END",
    "CREATE TRIGGER IF NOT EXISTS vector_store_files_changed AFTER UPDATE OF status, usage_bytes "
    "ON vector_store_files WHEN old.status <> new.status OR old.usage_bytes <> new.usage_bytes "
    f"BEGIN {_count('old', '-')} {_count('new', '+')} END",
    "CREATE TRIGGER IF NOT EXISTS vector_store_files_removed AFTER DELETE ON vector_store_files "
    f"BEGIN {_count('old', '-')} END",
)
_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION count_vector_store_files() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF TG_OP = 'UPDATE' AND OLD.status = NEW.status AND OLD.usage_bytes = NEW.usage_bytes "
    "THEN RETURN NULL; END IF; "
    f"IF TG_OP <> 'INSERT' THEN {_count('OLD', '-', '::int')} END IF; "
    f"IF TG_OP <> 'DELETE' THEN {_count('NEW', '+', '::int')} END IF; "
    "RETURN NULL; END $$",
    "CREATE OR REPLACE TRIGGER vector_store_files_counted "
    "AFTER INSERT OR DELETE OR UPDATE OF status, usage_bytes "
    "ON vector_store_files FOR EACH ROW EXECUTE FUNCTION count_vector_store_files()",
)


@event.listens_for(vector_store_files, "after_create")
def _with_table(_target: Table, connection: Connection, **_: object) -> None:
    _create_triggers(connection)


def _create_triggers(connection: Connection) -> None:
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.execute(text(statement))


def count_all(connection: Connection) -> None:
    """Set the counters of all vector stores."""
    status = vector_store_files.c.status
    own = vector_store_files.c.vector_store_id == vector_stores.c.id
    counted = {name: select(func.count()).where(own, status == name).scalar_subquery() for name in STATUSES}
    size = select(func.coalesce(func.sum(vector_store_files.c.usage_bytes), 0)).where(
        own, status == "completed"
    )
    connection.execute(update(vector_stores).values(counted | {"usage_bytes": size.scalar_subquery()}))


def file_counts(by_status: Mapping[str, int]) -> FileCounts:
    """Return numbers of files in the API's form."""
    counts = {name: by_status.get(name, 0) for name in STATUSES}
    return FileCounts(**counts, total=sum(counts.values()))


def m012_counters(connection: Connection) -> None:
    """Add the counters and their triggers."""
    for name in COUNTERS:
        add_column(connection, vector_stores.c[name])
    count_all(connection)
    _create_triggers(connection)
