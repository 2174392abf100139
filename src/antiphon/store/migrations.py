"""Migrations of the database schema, tracked by name in the database.

To change tables, change `tables.py` and append a function `m002_...` here that changes existing databases in
the same way. A new database is created with the current schema.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text

from antiphon.errors import StoreUnavailable
from antiphon.store.idempotency import idempotency_keys
from antiphon.store.servers import secrets
from antiphon.store.tables import api_keys, metadata, prompt_versions, prompts, schema_version
from antiphon.store.vector_stores.tables import chunks

Migration = Callable[[Connection], None]

_LOCK = 0x616E7469
"""The key of PostgreSQL's advisory lock: only one server migrates at a time."""


def m001_initial(connection: Connection) -> None:
    """Create all tables of `tables.py`."""
    metadata.create_all(connection)


def m002_files(connection: Connection) -> None:
    """Add the tables of files and vector stores."""
    metadata.create_all(connection)


def m003_chunks(connection: Connection) -> None:
    """Add the tables of chunks and their indexes."""
    metadata.create_all(connection, [chunks])


def m004_keys(connection: Connection) -> None:
    """Add the table of API keys."""
    metadata.create_all(connection, [api_keys])


def m005_prompts(connection: Connection) -> None:
    """Add the tables of prompts."""
    metadata.create_all(connection, [prompts, prompt_versions])


def m006_secrets(connection: Connection) -> None:
    """Add the table of the server's own secrets."""
    metadata.create_all(connection, [secrets])


def m007_idempotency(connection: Connection) -> None:
    """Add the table of idempotency keys."""
    metadata.create_all(connection, [idempotency_keys])


MIGRATIONS: tuple[Migration, ...] = (
    m001_initial,
    m002_files,
    m003_chunks,
    m004_keys,
    m005_prompts,
    m006_secrets,
    m007_idempotency,
)


def migrate(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Apply the missing migrations in order, inside the current transaction.

    Raises:
        StoreUnavailable: A newer version of Antiphon has applied an unknown migration.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    names = [migration.__name__ for migration in migrations]
    if not inspect(connection).has_table(schema_version.name):
        migrations[0](connection)
        connection.execute(insert(schema_version), [{"name": name} for name in names])
        return
    applied = set(connection.execute(select(schema_version.c.name)).scalars())
    unknown = sorted(applied.difference(names))
    if unknown:
        raise StoreUnavailable(
            "The database was created by a newer version of Antiphon (unknown migrations: "
            f"{', '.join(unknown)}). Update Antiphon, or use another database."
        )
    for migration in migrations:
        if migration.__name__ not in applied:
            migration(connection)
            connection.execute(insert(schema_version), [{"name": migration.__name__}])
