"""Examination of a database from outside of a server, which changes nothing."""

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from antiphon.errors import AntiphonError
from antiphon.store.connect import Opened, explain, explain_to_operator, open_engine, size_in_bytes
from antiphon.store.keys import api_keys
from antiphon.store.tables import schema_version


class Examined(Struct, frozen=True, kw_only=True):
    """The state of a database."""

    location: str
    """The path, or host and name, without user and password."""
    exists: bool = True
    """Whether the database exists; False for a file that the first start creates."""
    is_writable: bool = False
    """Whether it can be written."""
    problem: str | None = None
    """The reason why it cannot be used."""
    bytes: int = 0
    """The size."""
    missing: Sequence[str] = ()
    """The migrations that the next start applies."""
    unknown: Sequence[str] = ()
    """The migrations of a newer version, with which this one doesn't start."""
    keys: int = 0
    """The number of API keys."""


def examine(url: str, migrations: Sequence[str]) -> Examined:
    """Return the state of a database; it blocks for some seconds at most.

    Args:
        url: The path or URL.
        migrations: The names of all migrations.

    Raises:
        ConfigError: The URL has another form, or its driver isn't installed.
    """
    file = _file_of(url)
    if file is not None and not file.exists():
        return Examined(location=str(file), exists=False, problem=_folder_problem(file))
    try:
        opened = open_engine(url)
    except AntiphonError as error:
        return Examined(location=url if file is None else str(file), problem=error.message)
    try:
        return _examined(opened, migrations)
    except SQLAlchemyError as error:
        cause = explain(error)
        cause.__cause__ = error
        return Examined(location=opened.location, problem=explain_to_operator(cause))
    finally:
        opened.writing.dispose()


def _examined(opened: Opened, migrations: Sequence[str]) -> Examined:
    with opened.reading.connect() as connection:
        size = size_in_bytes(connection)
        applied, keys = _schema(connection)
    with opened.writing.connect() as connection:
        transaction = connection.begin()
        # Both kinds of databases can undo a new table.
        connection.execute(text("CREATE TABLE antiphon_doctor (x INTEGER)"))
        transaction.rollback()
    return Examined(
        location=opened.location,
        is_writable=True,
        bytes=size,
        missing=[name for name in migrations if name not in applied],
        unknown=sorted(applied.difference(migrations)),
        keys=keys,
    )


def _schema(connection: Connection) -> tuple[set[str], int]:
    """Return the applied migrations and the number of API keys."""
    tables = inspect(connection)
    applied: set[str] = set()
    if tables.has_table(schema_version.name):
        applied = set(connection.execute(select(schema_version.c.name)).scalars())
    keys = 0
    if tables.has_table(api_keys.name):
        keys = connection.execute(select(func.count()).select_from(api_keys)).scalar_one()
    return applied, keys


def _file_of(url: str) -> Path | None:
    """Return the file of an SQLite database; None for other databases."""
    if url == ":memory:" or ("://" in url and not url.startswith("sqlite:///")):
        return None
    return Path(url.removeprefix("sqlite:///")).expanduser().absolute()


def _folder_problem(file: Path) -> str | None:
    """Return why a file cannot be created; None if it can."""
    folder = next(parent for parent in file.parents if parent.exists())
    if not folder.is_dir():
        return f"{folder} is not a folder."
    is_writable = os.access(folder, os.W_OK | os.X_OK)
    return None if is_writable else f"The folder {folder} is not writable."
