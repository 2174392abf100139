"""Import of an export into an empty database.

An export may come from a stranger. Names of tables and columns must be known, values must have the types of
their columns, and IDs of files, which become paths, must have a harmless form.
"""

import math
import re
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import Annotated, Protocol, cast

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Column, Connection, Table, func, insert, literal, select, text
from sqlalchemy.exc import SQLAlchemyError

from antiphon.errors import StoreUnavailable
from antiphon.store.connect import describe
from antiphon.store.files import hide_file
from antiphon.store.log.search import m018_search
from antiphon.store.migrations import MIGRATIONS, migrate
from antiphon.store.tables import files, metadata, schema_version
from antiphon.store.upkeep.export import CHUNK_COLUMNS, CHUNKS, FORMAT, Header, Mark, exported_tables
from antiphon.store.upkeep.schema import NAMES
from antiphon.store.vector_stores.chunks import NewChunk, add_chunks
from antiphon.store.vector_stores.counters import count_all
from antiphon.store.vector_stores.search.blocks import FLOAT

LONGEST = 256 * 1024 * 1024
"""The most bytes of a line."""
_FILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
"""The form of the IDs of files, which are also the names of their contents."""
_BATCH = 200
"""The most rows per statement."""
_BATCH_BYTES = 4 * 1024 * 1024
"""The bytes of lines after which a statement gets no further row."""
_MOST_DIMENSIONS = 65_536
"""The most numbers of a vector."""
_SHOWN = 200
"""The most characters of an error to show."""
_INT64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: dict[type, tuple[object, object]] = {
    bool: (bool | None, bool),
    int: (_INT64 | None, _INT64),
    float: (float | None, float),
    str: (str | None, str),
    bytes: (bytes | None, bytes),
}
"""The types of values, by the type of the column, with and without null."""
_CHUNK_TYPES = (str, str, _INT64, str, bytes | None)

Row = tuple[object, ...]


class ContentSink(Protocol):
    """A receiver of the contents of files."""

    def begin(self, file_id: str) -> None:
        """Begin a file, after the end of the one before it."""

    def write(self, data: bytes) -> None:
        """Append to the file."""

    def end(self) -> int:
        """End the file, and return its size."""

    def has(self, file_id: str) -> bool:
        """Return whether the file has ended."""


class Imported(Struct, frozen=True):
    """The outcome of an import."""

    rows: int
    """The number of rows."""
    files: int
    """The number of contents of files."""
    missing: int
    """The number of files that were deleted, because the export has no content of them."""


class _Invalid(Exception):
    """An invalid line."""


class _Rows:
    """Rows that wait for their insertion."""

    def __init__(self, types: Sequence[object], insert_rows: Callable[[list[Row]], None]) -> None:
        self._decode = cast("Callable[[bytes], Row]", msgspec.json.Decoder(_tuple_of(types)).decode)
        self._insert = insert_rows
        self._rows: list[Row] = []
        self._bytes = 0

    def add(self, line: bytes) -> None:
        """Add a row, and insert all if there are many."""
        self._rows.append(self._decode(line))
        self._bytes += len(line)
        if len(self._rows) == _BATCH or self._bytes > _BATCH_BYTES:
            self.insert()

    def insert(self) -> None:
        """Insert the rows that wait."""
        if self._rows:
            self._insert(self._rows)
        self._rows = []
        self._bytes = 0


def import_rows(connection: Connection, lines: Iterable[bytes], sink: ContentSink) -> Imported:
    """Import an export within the transaction of the connection.

    Exports of older versions get the migrations that they lack.

    Raises:
        StoreUnavailable: The database isn't empty, or the export is invalid or from a newer version.
    """
    migrate(connection, MIGRATIONS)
    _require_empty(connection)
    numbered = _numbered(lines)
    header = _header(next(numbered, (1, b""))[1])
    outcome = _Import(connection, header, sink).run(numbered)
    count_all(connection)  # Triggers have counted the files in addition to the imported counters.
    _continue_sequences(connection)
    for migration in MIGRATIONS:
        if migration.__name__ not in header.migrations or migration is m018_search:
            migration(connection)  # The one of the search queues all responses for its index.
    return outcome


class _Import:
    """An import after its first line."""

    def __init__(self, connection: Connection, header: Header, sink: ContentSink) -> None:
        self._connection = connection
        self._header = header
        self._sink = sink
        self._tables = {table.name: table for table in exported_tables()}
        self._table: _Rows | None = None
        self._file_size: int | None = None
        self._rows = self._files = 0

    def run(self, numbered: Iterator[tuple[int, bytes]]) -> Imported:
        """Import all lines; the last one must be the end."""
        for number, line in numbered:
            with _located(number):
                if not line.startswith(b"{"):
                    self._add(line)
                    continue
                self._end_part()
                mark = msgspec.json.decode(line, type=Mark)
                if mark.rows is None:
                    self._begin_part(mark)
                    continue
                if (mark.rows, mark.files) != (self._rows, self._files) or next(numbered, None) is not None:
                    raise _Invalid("it is not the end of this export")
                return Imported(self._rows, self._files, self._delete_without_content())
        raise StoreUnavailable("the export is incomplete: its last line is missing")

    def _add(self, line: bytes) -> None:
        """Add a row, or a part of a file."""
        if self._table is not None:
            self._table.add(line)
            self._rows += 1
        elif self._file_size is not None:
            self._sink.write(msgspec.json.decode(line, type=bytes))
        else:
            raise _Invalid("it belongs to no table and no file")

    def _begin_part(self, mark: Mark) -> None:
        """Begin a table or a file."""
        if mark.table == CHUNKS:
            if mark.columns != CHUNK_COLUMNS:
                raise _Invalid("chunks have other columns")
            self._table = _Rows(_CHUNK_TYPES, partial(_insert_chunks, self._connection))
        elif mark.table is not None:
            table = self._tables.get(mark.table)
            if table is None:
                raise _Invalid("unknown table")
            columns = _columns(table, mark.columns)
            types = [_type_of(column) for column in columns]
            self._table = _Rows(types, partial(_insert_rows, self._connection, table, mark.columns))
        elif mark.file is not None:
            size = select(files.c.bytes).where(files.c.id == mark.file, files.c.deleted_at.is_(None))
            self._file_size = self._connection.execute(size).scalar()
            if self._file_size is None:
                raise _Invalid("no row describes this file")
            self._sink.begin(mark.file)
        else:
            raise _Invalid("it is neither a table nor a file nor the end")

    def _end_part(self) -> None:
        """End a table or a file."""
        if self._table is not None:
            self._table.insert()
            self._table = None
        if self._file_size is not None:
            if self._sink.end() != self._file_size:
                raise _Invalid("the file before it has another size")
            self._files += 1
            self._file_size = None

    def _delete_without_content(self) -> int:
        """Delete the files whose content is missing: clients deleted them during the export."""
        if not self._header.has_files:
            return 0
        listed = select(files.c.id).where(files.c.deleted_at.is_(None))
        stored = self._connection.execute(listed, execution_options={"yield_per": 500}).scalars()
        missing = [file_id for file_id in stored if not self._sink.has(file_id)]
        for file_id in missing:
            hide_file(self._connection, file_id, files.c.id == file_id, time.time())
        return len(missing)


def _insert_rows(connection: Connection, table: Table, columns: list[str], rows: list[Row]) -> None:
    if table is files:
        for file_id in (row[columns.index("id")] for row in rows):
            if _FILE_ID.fullmatch(str(file_id)) is None:
                raise _Invalid("the ID of a file has another form")
    connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])


def _insert_chunks(connection: Connection, rows: list[Row]) -> None:
    """Insert chunks, as many as possible of each file at a time."""
    found = cast("list[tuple[str, str, int, str, bytes | None]]", rows)
    for (store, file_id, _), some in groupby(
        enumerate(found), lambda each: (each[1][0], each[1][1], each[1][2] - each[0])
    ):
        group = [row for _, row in some]
        new = [NewChunk(text, _checked(vector)) for _, _, _, text, vector in group]
        add_chunks(connection, (store, file_id), group[0][2], new)


def _checked(vector: bytes | None) -> bytes | None:
    if vector is not None:
        if not 0 < len(vector) <= FLOAT * _MOST_DIMENSIONS or len(vector) % FLOAT:
            raise _Invalid("a vector has an unusual length")
        if not all(map(math.isfinite, array("f", vector))):
            raise _Invalid("a vector has an infinite number")
    return vector


def _columns(table: Table, names: list[str]) -> list["Column[object]"]:
    """Return the columns with these names; older exports may lack some."""
    unknown = set(names).difference(table.columns.keys())
    required = {each.name for each in table.columns if not each.nullable and each.server_default is None}
    if unknown or len(set(names)) < len(names) or not required.issubset(names):
        raise _Invalid(f"the columns are not those of the table {table.name}")
    return [table.columns[name] for name in names]


def _type_of(column: "Column[object]") -> object:
    optional, required = _TYPES[column.type.python_type]
    return optional if column.nullable else required


def _tuple_of(types: Sequence[object]) -> object:
    return tuple.__class_getitem__(tuple(types))


def _header(line: bytes) -> Header:
    try:
        form = msgspec.json.decode(line, type=_Form).antiphon_export
        if form != FORMAT:
            raise StoreUnavailable(f"the export has the format {form}; update Antiphon, or export it again")
        header = msgspec.json.decode(line, type=Header)
    except msgspec.MsgspecError:
        raise StoreUnavailable("the file is not an export of Antiphon") from None
    later = sorted(set(header.migrations).difference(NAMES))
    if later:
        raise StoreUnavailable(
            f"the export is from a newer version, {_harmless(header.version)} "
            f"(unknown migrations: {_harmless(', '.join(later))}); update Antiphon"
        )
    return header


class _Form(Struct):
    """The first line of an export of any format."""

    antiphon_export: int


def _require_empty(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        if table is not schema_version and connection.execute(select(literal(1)).select_from(table)).first():
            raise StoreUnavailable(
                f"the database is not empty: it has rows in {table.name}; import into a new database"
            )


def _continue_sequences(connection: Connection) -> None:
    """Let PostgreSQL continue its sequences after the imported IDs."""
    for table in exported_tables() if connection.dialect.name == "postgresql" else ():
        column = table.autoincrement_column
        if column is not None:
            last = connection.execute(select(func.max(column))).scalar()
            moved = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            if last is not None:
                connection.execute(moved, {"table": table.name, "column": column.name, "last": last})


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            raise StoreUnavailable(f"line {number} of the export is incomplete or too long")
        yield number, line


@contextmanager
def _located(number: int) -> Iterator[None]:
    """Add the number of the line to errors."""
    try:
        yield
    except (_Invalid, msgspec.MsgspecError) as error:
        raise StoreUnavailable(f"line {number} of the export is invalid: {_harmless(str(error))}") from None
    except SQLAlchemyError as error:
        raise StoreUnavailable(
            f"the rows up to line {number} of the export can't be stored: {_harmless(describe(error))}"
        ) from error


def _harmless(words: str) -> str:
    """Return text that may contain parts of an export, in a form that no terminal obeys."""
    return words[:_SHOWN].encode("unicode_escape").decode()
