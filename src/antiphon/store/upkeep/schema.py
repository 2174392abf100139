"""Connections of maintenance commands, and upgrades of the schema."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from antiphon.errors import StoreUnavailable
from antiphon.store.connect import Opened, describe, file_of, open_engine
from antiphon.store.migrations import MIGRATIONS, migrate, missing_migrations

NAMES = tuple(migration.__name__ for migration in MIGRATIONS)
"""The names of all migrations, in order."""


class Upgrade(Struct, frozen=True):
    """The outcome of an upgrade."""

    location: str
    """The database without user and password."""
    applied: list[str]
    """The names of the migrations that were missing."""

    @property
    def is_new(self) -> bool:
        """Whether the database had no tables."""
        return self.applied == list(NAMES)


def upgrade_schema(url: str) -> Upgrade:
    """Create the tables of a database, or bring them up to date.

    Raises:
        ConfigError: The URL can't be used.
        StoreUnavailable: The database can't be used, or a newer version has written it.
    """
    with writing(url) as connection:
        return Upgrade(location_of(url), migrate(connection, MIGRATIONS))


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """Yield a write transaction, which is committed at the end of the block.

    An SQLite file is created if it doesn't exist.

    Raises:
        ConfigError: The URL can't be used.
        StoreUnavailable: The database can't be used.
    """
    opened = open_engine(url, "full")
    with _explained(opened), opened.writing.begin() as connection:
        yield connection


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Yield a read transaction of an existing database, which sees one state until the block ends.

    Raises:
        ConfigError: The URL can't be used.
        StoreUnavailable: The database doesn't exist or can't be used, or a newer version has written it.
    """
    file = file_of(url)
    if file is not None and not file.exists():
        raise StoreUnavailable(f"{file}: the database does not exist; check the path")
    opened = open_engine(url)
    with _explained(opened), opened.reading.begin() as connection:
        yield connection


def location_of(url: str) -> str:
    """Return the path or URL of a database without user and password."""
    file = file_of(url)
    return str(file) if file is not None else open_engine(url).location


def require_current(connection: Connection) -> None:
    """Check that the schema is that of this version.

    Raises:
        StoreUnavailable: It is older or newer.
    """
    if missing_migrations(connection, NAMES):
        raise StoreUnavailable("the tables are from an older version; run antiphon db upgrade")


@contextmanager
def _explained(opened: Opened) -> Iterator[None]:
    """Add the location to errors, and close the connections at the end."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"{opened.location}: {describe(error)}") from error
    except StoreUnavailable as error:
        raise StoreUnavailable(f"{opened.location}: {error.message}") from error
    finally:
        opened.writing.dispose()
