"""Rows of a database as lines of JSON, which both kinds of database can import.

The first line has the format and the applied migrations. A line with the name and the columns of a table
precedes its rows, each a JSON array. Contents of files may follow. The last line has the numbers of rows and
files, so that a cut export is noticed. Indexes of words and vectors aren't exported: an import builds them.
"""

import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Table, select, text

from antiphon.build import version_text
from antiphon.store.containers.tables import container_files, containers
from antiphon.store.log.search import searchable
from antiphon.store.log.tables import unindexed
from antiphon.store.tables import files, metadata, schema_version, servers
from antiphon.store.upkeep.schema import NAMES, require_current
from antiphon.store.vector_stores.tables import chunks, pgvector_schema, vector_blocks

FORMAT = 1
"""The version of the format."""
_STREAM = {"yield_per": 500}
"""The rows to fetch at a time."""


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of an export."""

    antiphon_export: int
    """The version of the format."""
    version: str
    """The version of Antiphon."""
    created_at: float
    """The time of the export, in seconds since 1970."""
    migrations: list[str]
    """The migrations that the database had."""
    has_files: bool
    """Whether the contents of files follow the rows."""


class Mark(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A line between rows: the beginning of a table or of a file, or the end."""

    table: str | None = None
    """The table whose rows follow."""
    columns: list[str] = []
    """The columns of these rows, in order."""
    file: str | None = None
    """The ID of the file whose content follows, in lines of Base64."""
    rows: int | None = None
    """The number of all rows, at the end."""
    files: int | None = None
    """The number of all files, at the end."""


CHUNKS = "chunks"
"""The name of the table of chunks, which contains the vectors in an export."""
CHUNK_COLUMNS = ["vector_store_id", "file_id", "position", "text", "vector"]
"""The columns of chunks in an export; the vector is packed 32-bit floats, or null."""
_OMITTED = {
    schema_version,
    servers,
    chunks,
    vector_blocks,
    searchable,
    unindexed,
    containers,
    container_files,
}
"""Tables of the database itself, of running servers, of indexes and of containers, which live for minutes.

One of them has a form of its own.
"""

FileContent = tuple[str, Iterable[bytes]]
"""The ID of a file, and its bytes in blocks."""


def exported_tables() -> list[Table]:
    """Return the tables that an export contains as they are, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table not in _OMITTED]


def export_lines(
    connection: Connection, contents: Callable[[Iterator[str]], Iterator[FileContent]] | None = None
) -> Iterator[bytes]:
    """Yield the lines of an export of all rows, within the transaction of the connection.

    Args:
        connection: The connection, in a transaction that sees one state.
        contents: Returns the contents of files by ID, without those that don't exist; None exports none.

    Raises:
        StoreUnavailable: The schema is older or newer.
    """
    require_current(connection)
    yield _line(Header(FORMAT, version_text(), time.time(), list(NAMES), contents is not None))
    rows = count_files = 0
    for table in exported_tables():
        yield _line(Mark(table=str(table.name), columns=[str(column.name) for column in table.columns]))
        for row in connection.execute(select(table), execution_options=_STREAM):
            yield _line(tuple(row))
            rows += 1
    yield _line(Mark(table=CHUNKS, columns=CHUNK_COLUMNS))
    for chunk in _chunks(connection):
        yield _line(chunk)
        rows += 1
    if contents is not None:
        listed = select(files.c.id).where(files.c.deleted_at.is_(None))
        stored = connection.execute(listed, execution_options=_STREAM).scalars()
        for file_id, blocks in contents(stored):
            yield _line(Mark(file=file_id))
            yield from map(_line, blocks)
            count_files += 1
    yield _line(Mark(rows=rows, files=count_files))


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _chunks(connection: Connection) -> Iterator[Sequence[object]]:
    schema = None if connection.dialect.name == "sqlite" else pgvector_schema(connection)
    vector = "CAST(vector AS text)" if schema else "vector"
    query = text(
        f"SELECT vector_store_id, file_id, position, text, {vector} FROM chunks "  # noqa: S608
        "LEFT JOIN chunk_vectors ON chunk_id = id ORDER BY vector_store_id, file_id, position"
    )
    for *row, found in connection.execute(query, execution_options=_STREAM):
        yield [*row, _packed(found) if isinstance(found, str) else found]


def _packed(written: str) -> bytes:
    """Return a vector in pgvector's text form as packed 32-bit floats."""
    return array("f", msgspec.json.decode(written, type=list[float])).tobytes()
