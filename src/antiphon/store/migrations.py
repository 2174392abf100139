"""Migrations of the database schema, tracked by name in the database.

A migration is a function `m002_...` beside the tables that it adds or changes. `MIGRATIONS` in `store.py`
lists it last. It gives existing databases the current schema, with which a new database is created.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text

from antiphon.errors import StoreUnavailable
from antiphon.store.tables import metadata, schema_version

Migration = Callable[[Connection], None]

_LOCK = 0x616E7469
"""The key of PostgreSQL's advisory lock: only one server migrates at a time."""


def m001_initial(connection: Connection) -> None:
    """Create all tables."""
    metadata.create_all(connection)


def m002_files(connection: Connection) -> None:
    """Add the tables of files and vector stores."""
    metadata.create_all(connection)


def migrate(connection: Connection, migrations: Sequence[Migration]) -> list[str]:
    """Apply the missing migrations in order, inside the current transaction.

    Only one process migrates a database at a time: on SQLite, it holds the lock of its write transaction.

    Returns:
        The names of the migrations that were missing.

    Raises:
        StoreUnavailable: A newer version of Antiphon has applied an unknown migration.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    names = [migration.__name__ for migration in migrations]
    missing = missing_migrations(connection, names)
    if missing == names:
        migrations[0](connection)
        connection.execute(insert(schema_version), [{"name": name} for name in names])
        return missing
    for migration in migrations:
        if migration.__name__ in missing:
            migration(connection)
            connection.execute(insert(schema_version), [{"name": migration.__name__}])
    return missing


def missing_migrations(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return which of all migrations the database lacks; a database without tables lacks all of them.

    Raises:
        StoreUnavailable: A newer version of Antiphon has applied an unknown migration.
    """
    if not inspect(connection).has_table(schema_version.name):
        return list(names)
    applied = set(connection.execute(select(schema_version.c.name)).scalars())
    unknown = sorted(applied.difference(names))
    if unknown:
        raise StoreUnavailable(
            "The database was created by a newer version of Antiphon (unknown migrations: "
            f"{', '.join(unknown)}). Update Antiphon, or use another database."
        )
    return [name for name in names if name not in applied]
