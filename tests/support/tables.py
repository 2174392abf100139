"""The tables of a store, created once and emptied for each test, which is faster than new tables."""

from sqlalchemy import text

from antiphon.store.connect import open_engine
from antiphon.store.migrations import MIGRATIONS, migrate
from antiphon.store.tables import metadata, schema_version


def create_tables(url: str) -> None:
    """Create all tables in an empty database."""
    engine = open_engine(url).writing
    with engine.begin() as connection:
        migrate(connection, MIGRATIONS)
    engine.dispose()


def empty_tables(url: str) -> None:
    """Delete the rows of all tables in a PostgreSQL database, except its migrations."""
    names = [name for name in metadata.tables if name != schema_version.name]
    counts = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in names)
    engine = open_engine(url).writing
    with engine.begin() as connection:
        if filled := connection.execute(text(counts)).scalars().all():
            connection.execute(text(f"TRUNCATE {', '.join(filled)} RESTART IDENTITY CASCADE"))
    engine.dispose()
