"""Database engines from URLs, and readable errors from those of drivers."""

import contextlib
import logging
import os
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import Struct
from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from antiphon.errors import AntiphonError, ConfigError, InvalidRequest, StoreUnavailable

_log = logging.getLogger(__name__)

Synchronous = Literal["full", "normal"]
"""When SQLite waits for the disk: at each commit, or only when it moves the log into the database.

With `normal`, a power failure can undo the last commits (https://sqlite.org/pragma.html#pragma_synchronous).
"""
READERS = 4
"""The number of reader threads."""
_PATIENCE = 10
"""Seconds to wait for other writers on SQLite, or for a connection to PostgreSQL."""


class OpenFile:
    """The file that an SQLite database was opened from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.identity: tuple[int, int] | None = None
        """Its device and inode, once a connection has opened it."""

    def create(self, *_: object) -> None:
        """Create the file for its owner alone, unless it exists: it has keys and texts.

        SQLite gives the files of its log the same permissions.
        """
        with contextlib.suppress(OSError):  # SQLite reports the problem.
            os.close(os.open(self.path.resolve(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def note(self, _connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        """Note the file that the first connection has opened."""
        if self.identity is None:
            with contextlib.suppress(FileNotFoundError):
                found = self.path.stat()
                self.identity = found.st_dev, found.st_ino


class Opened(Struct, frozen=True):
    """A database with two views of one connection pool."""

    location: str
    """The database without user and password, for messages."""
    reading: Engine
    """The engine for read transactions."""
    writing: Engine
    """The engine for write transactions."""
    in_memory: bool
    """Whether the database is in memory and has only one connection."""
    file: OpenFile | None = None
    """The file of an SQLite database."""


def open_engine(url: str, synchronous: Synchronous = "normal") -> Opened:
    """Return the engines for a database URL, without connecting.

    Args:
        url: `sqlite:///path`, a path, `:memory:` or `postgresql://...`.
        synchronous: When SQLite waits for the disk.

    Raises:
        ConfigError: The URL has another form, or its driver isn't installed.
        StoreUnavailable: The folder of an SQLite file can't be created.
    """
    if "://" not in url:
        return _open_sqlite("" if url == ":memory:" else url, synchronous)
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError(f"The database URL is invalid. {_FORMS}") from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        return _open_sqlite(
            "" if parsed.database in (None, ":memory:") else str(parsed.database), synchronous
        )
    if kind in ("postgresql", "postgres"):
        return _open_postgresql(parsed)
    raise ConfigError(f"The database URL begins with '{kind}://', which is not supported. {_FORMS}")


_FORMS = "Use sqlite:///path/to/file.db or postgresql://user:password@host/database."


def file_of(url: str) -> Path | None:
    """Return the file of a database URL; None for PostgreSQL and a database in memory."""
    name = url
    if "://" in url:
        name = str(make_url(url).database or "") if url.startswith("sqlite") else ""
    return None if name in ("", ":memory:") else Path(name).expanduser().absolute()


def _open_sqlite(path: str, synchronous: Synchronous) -> Opened:
    if path:
        file = Path(path).expanduser().absolute()
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{file}: The folder cannot be created: {error.strerror}.") from error
        opened = OpenFile(file)
        engine = create_engine(
            URL.create("sqlite", database=str(file)),
            connect_args={"timeout": _PATIENCE},
            pool_size=READERS + 1,
            hide_parameters=True,
        )
    else:
        engine = create_engine(
            "sqlite://",
            connect_args={"check_same_thread": False},
            poolclass=StaticPool,
            hide_parameters=True,
        )
    event.listen(engine, "connect", partial(_prepare_sqlite, synchronous))
    if path:
        event.listen(engine, "do_connect", opened.create)
        event.listen(engine, "connect", opened.note)
    reading, writing = engine.execution_options(), engine.execution_options()
    # A transaction that reads first and then writes fails at once if another process has written in between,
    # regardless of the busy timeout. BEGIN IMMEDIATE waits instead (https://sqlite.org/lang_transaction.html).
    for each, statement in ((reading, "BEGIN"), (writing, "BEGIN IMMEDIATE")):
        event.listen(each, "begin", partial(Connection.exec_driver_sql, statement=statement))
    return Opened(
        location=str(file) if path else ":memory:",
        reading=reading,
        writing=writing,
        in_memory=not path,
        file=opened if path else None,
    )


def _prepare_sqlite(synchronous: Synchronous, connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # The driver must not begin transactions; `_open_sqlite` does.
    _use_write_ahead_log(connection)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Enable the write-ahead log, waiting if another server is doing so.

    If several servers start together on a new database, all but one find it locked. SQLite doesn't apply its
    busy timeout to this lock (https://sqlite.org/wal.html).
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _open_postgresql(url: URL) -> Opened:
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={"connect_timeout": _PATIENCE},
            pool_size=READERS + 1,
            pool_pre_ping=True,  # With it, no request fails after a restart of PostgreSQL.
            hide_parameters=True,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            "The driver for PostgreSQL is missing. Run: pip install 'antiphon[postgres]'."
        ) from error
    return Opened(
        location=f"postgresql://{url.host or ''}/{url.database or ''}",
        # All statements of a read must see the same state, like on SQLite.
        reading=engine.execution_options(isolation_level="REPEATABLE READ"),
        writing=engine,
        in_memory=False,
    )


def explain(error: SQLAlchemyError) -> AntiphonError:
    """Return the error to show for a driver's error.

    Drivers name hosts, users, files and tables. These details are for the operator: the log has them, and the
    error doesn't.
    """
    if isinstance(error, DataError):
        return InvalidRequest("The request contains a value that cannot be stored, such as a NUL character.")
    reason = _reason(error)
    for sign, words in _SQLITE_REASONS.items():
        if sign in reason:
            return StoreUnavailable(f"The database {words}")
    _log.error("Failed to use the database: %s", reason)
    if isinstance(error, IntegrityError):
        return AntiphonError(f"The database rejected a write that violates a constraint. {_DETAILS}")
    return StoreUnavailable(f"The database is not available. {_DETAILS}")


def explain_to_operator(error: AntiphonError) -> str:
    """Return the message of an error, with the driver's details if there are any."""
    if isinstance(error.__cause__, SQLAlchemyError) and error.message.endswith(_DETAILS):
        return f"{error.message.removesuffix(_DETAILS)}{_reason(error.__cause__)}"
    return error.message


def describe(error: SQLAlchemyError) -> str:
    """Return the text about a driver's error for the operator."""
    reason = _reason(error)
    found = (words for sign, words in _SQLITE_REASONS.items() if sign in reason)
    return next((f"The database {words}" for words in found), reason)


def _reason(error: SQLAlchemyError) -> str:
    """Return what the driver reports, without SQL and values."""
    return str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]


_DETAILS = "The details are in the server's log."
_SQLITE_REASONS = {
    "file is not a database": "is not an SQLite database (or it is encrypted).",
    "malformed": "is damaged. Restore it from a backup, or try `sqlite3 FILE .recover`.",
    "readonly database": "is read-only. Check the permissions of the file and its folder.",
    "unable to open database file": "cannot be opened. Check the path and the permissions of its folder.",
    "database is locked": "is locked by another process for too long.",
    "disk is full": "cannot grow: the disk is full.",
}


def size_in_bytes(connection: Connection) -> int:
    """Return the size of the database."""
    if connection.dialect.name == "postgresql":
        query = "SELECT pg_database_size(current_database())"
    else:
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    return int(connection.execute(text(query)).scalar_one())
