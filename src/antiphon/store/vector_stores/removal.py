"""Removal of deleted vector stores and files, and of detached files, with their chunks, in slices.

The chunks of a file are removed before its row in `vector_store_files`, so that the row's deletion doesn't
cascade to many rows. Until then the row has the status `detached`, which no search and no list includes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, delete, exists, select, text, true, tuple_, update

from antiphon.store.deletions.queue import Progress
from antiphon.store.tables import file_batches, files, is_attached, vector_store_files, vector_stores
from antiphon.store.vector_stores.tables import chunks

_SLICE = 50
"""The most chunks per transaction; on SQLite, they take about 5 ms CPU, and its commit as much."""
_MERGED = 8
"""The pages of SQLite's index of words to merge per transaction."""
_CONFIGURE = text("INSERT INTO chunk_terms (chunk_terms, rank) VALUES (:name, :value)")
_ROWS = 500
"""The most rows of other tables per transaction."""

_PLACE = (vector_store_files.c.vector_store_id, vector_store_files.c.file_id)


def remove_vector_store(connection: Connection, vector_store_id: str) -> Progress:
    """Remove a slice of a vector store's chunks, files and batches, then the store itself."""
    if not _remove_files(connection, vector_store_files.c.vector_store_id == vector_store_id):
        return Progress.MORE
    some = select(file_batches.c.id).where(file_batches.c.vector_store_id == vector_store_id).limit(_ROWS)
    if connection.execute(delete(file_batches).where(file_batches.c.id.in_(some))).rowcount == _ROWS:
        return Progress.MORE
    connection.execute(delete(vector_stores).where(vector_stores.c.id == vector_store_id))
    return Progress.DONE


def remove_file(connection: Connection, file_id: str) -> Progress:
    """Remove a slice of a file's chunks in all vector stores, then the file's record."""
    if not _remove_files(connection, vector_store_files.c.file_id == file_id):
        return Progress.MORE
    connection.execute(delete(files).where(files.c.id == file_id))
    return Progress.DONE


def remove_detached_files(connection: Connection, vector_store_id: str) -> Progress:
    """Remove a slice of the chunks and rows of all files that are detached from a vector store."""
    detached = (vector_store_files.c.vector_store_id == vector_store_id) & ~is_attached
    return Progress.DONE if _remove_files(connection, detached) else Progress.MORE


def detach_some(connection: Connection, where: ColumnElement[bool]) -> tuple[Sequence[str], bool]:
    """Hide a slice of the files in vector stores that meet a condition.

    Returns:
        The vector stores of these files, and whether there may be more such files.
    """
    some = select(*_PLACE).where(where, is_attached).limit(_ROWS)
    hidden = (
        update(vector_store_files)
        .where(tuple_(*_PLACE).in_(some), is_attached)
        .values(status="detached")
        .returning(vector_store_files.c.vector_store_id)
    )
    ids = connection.execute(hidden).scalars().all()
    return list(dict.fromkeys(ids)), len(ids) == _ROWS


def remove_chunks(connection: Connection, vector_store_id: str, file_id: str) -> int:
    """Remove a slice of the chunks of a file in a vector store, and return their number."""
    with _few_merges(connection):
        return _remove_chunks(connection, vector_store_id, file_id, _SLICE)


def _remove_chunks(connection: Connection, vector_store_id: str, file_id: str, limit: int) -> int:
    own = (chunks.c.vector_store_id == vector_store_id) & (chunks.c.file_id == file_id)
    some = select(chunks.c.id).where(own).order_by(chunks.c.position).limit(limit)
    return connection.execute(delete(chunks).where(chunks.c.id.in_(some))).rowcount


@contextmanager
def _few_merges(connection: Connection) -> Iterator[None]:
    """Let SQLite merge a few pages of its index of words, instead of very many every now and then.

    By default, one of ten transactions takes six times as long as the others, because FTS5 merges at least 64
    pages at once (https://sqlite.org/fts5.html#the_automerge_configuration_option).
    """
    if connection.dialect.name == "postgresql":
        yield
        return
    connection.execute(_CONFIGURE, {"name": "automerge", "value": 0})
    yield
    connection.execute(_CONFIGURE, {"name": "merge", "value": _MERGED})
    connection.execute(_CONFIGURE, {"name": "automerge", "value": 4})  # The default


def _remove_files(connection: Connection, where: ColumnElement[bool]) -> bool:
    """Remove a slice of files from vector stores, and return whether no such file is left."""
    if connection.dialect.name == "postgresql":
        return _remove_files_at_once(connection, where)
    left = _SLICE
    first = select(*_PLACE).where(where).limit(1)
    with _few_merges(connection):
        while (place := connection.execute(first).one_or_none()) is not None:
            if left <= 0:
                return False
            removed = _remove_chunks(connection, *place, limit=left)
            if removed < left:
                connection.execute(delete(vector_store_files).where(tuple_(*_PLACE) == tuple(place)))
            left -= removed + 1
    return True


def _remove_files_at_once(connection: Connection, where: ColumnElement[bool]) -> bool:
    """Remove a slice with two statements: the other writes wait for each round trip to PostgreSQL."""
    places = select(*_PLACE).where(where).limit(_SLICE).subquery()
    at = chunks.c
    of_place = (at.vector_store_id == places.c.vector_store_id) & (at.file_id == places.c.file_id)
    own = select(at.id).where(of_place).order_by(at.position).limit(_SLICE).lateral()
    some = select(own.c.id).select_from(places.join(own, true())).limit(_SLICE)
    if connection.execute(delete(chunks).where(at.id.in_(some))).rowcount == _SLICE:
        return False
    is_empty = ~exists().where(at.vector_store_id == _PLACE[0], at.file_id == _PLACE[1])
    empty = select(*_PLACE).where(where, is_empty).limit(_SLICE)
    return connection.execute(delete(vector_store_files).where(tuple_(*_PLACE).in_(empty))).rowcount < _SLICE
