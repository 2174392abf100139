"""Migrations of the database schema, tracked by name in the database.

A migration is a function `m002_...` beside the tables that it adds or changes. `MIGRATIONS` lists it last. It
gives existing databases the current schema, with which a new database is created.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, inspect, select, text

from antiphon.errors import StoreUnavailable
from antiphon.store.batches.tables import m015_batches, m023_batch_steps
from antiphon.store.chat.completions import m024_chat_completions
from antiphon.store.containers.tables import m026_containers
from antiphon.store.deletions.queue import m009_deletions
from antiphon.store.idempotency import m007_idempotency
from antiphon.store.keys import m004_keys, m011_versions, m022_key_access
from antiphon.store.log.search import m018_search
from antiphon.store.log.tables import m017_steps
from antiphon.store.models import m008_registered_models
from antiphon.store.prompts import m005_prompts
from antiphon.store.retention.tables import m021_retention
from antiphon.store.runs.tables import m013_runs, m020_streams
from antiphon.store.servers import m006_secrets
from antiphon.store.sharing.usage import m019_usage
from antiphon.store.tables import m010_indexes, metadata, schema_version
from antiphon.store.uploads.uploads import m025_uploads
from antiphon.store.vector_stores.counters import m012_counters
from antiphon.store.vector_stores.search.blocks import m014_vector_blocks
from antiphon.store.vector_stores.tables import m003_chunks
from antiphon.store.webhooks.tables import m016_webhooks

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


MIGRATIONS = (
    m001_initial,
    m002_files,
    m003_chunks,
    m004_keys,
    m005_prompts,
    m006_secrets,
    m007_idempotency,
    m008_registered_models,
    m009_deletions,
    m010_indexes,
    m011_versions,
    m012_counters,
    m013_runs,
    m014_vector_blocks,
    m015_batches,
    m016_webhooks,
    m017_steps,
    m018_search,
    m019_usage,
    m020_streams,
    m021_retention,
    m022_key_access,
    m023_batch_steps,
    m024_chat_completions,
    m025_uploads,
    m026_containers,
)
"""The migrations of the database, in order."""
