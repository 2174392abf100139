"""Chunks of files in vector stores, with keyword and semantic search."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection, bindparam, insert, select, text

from antiphon.store.database import Database
from antiphon.store.tables import vector_store_files
from antiphon.store.vector_stores.removal import remove_chunks
from antiphon.store.vector_stores.search.blocks import Blocks, add_block
from antiphon.store.vector_stores.search.by_vector import find_nearest, pgvector_text
from antiphon.store.vector_stores.search.by_words import find_words, store_token, words
from antiphon.store.vector_stores.search.hnsw import create_index, missing_indexes
from antiphon.store.vector_stores.search.scope import Scope
from antiphon.store.vector_stores.tables import chunks, pgvector_schema

_BATCH = 200
"""The most chunks per write, so that other writes don't wait long."""


class NewChunk(Struct, frozen=True):
    """A chunk to store."""

    text: str
    """The text of the chunk."""
    vector: bytes | None
    """The embedding as packed 32-bit floats."""


class ChunkQuery(Struct, frozen=True):
    """A search for words, for a vector, or for both."""

    vector_store_ids: Sequence[str]
    """The vector stores to search."""
    words: str | None
    """The text for the keyword search."""
    vector: bytes | None
    """Packed 32-bit floats for the semantic search."""
    allowed: Mapping[str, Sequence[str]] | None
    """The files to search in each store; None means all completed ones."""
    limit: int
    """The most results of each kind of search."""
    index_from: int | None = None
    """The chunks of a vector store from which PostgreSQL uses an approximate index; None means never."""


class FoundChunks(Struct, frozen=True):
    """The results of a search."""

    by_words: dict[int, float]
    """Scores of the keyword search between 0 and 1, by chunk ID."""
    by_vector: dict[int, float]
    """Scores of the semantic search between 0 and 1, by chunk ID."""


class StoredChunk(Struct, frozen=True):
    """A stored chunk."""

    vector_store_id: str
    """The vector store of the chunk."""
    file_id: str
    """The file of the chunk."""
    position: int
    """The index of the chunk in the file."""
    text: str
    """The text of the chunk."""


class ChunkRecords:
    """The chunks of all vector stores; access to the stores is checked elsewhere."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blocks = Blocks()

    async def replace(
        self, vector_store_id: str, file_id: str, attempt: str, new: Sequence[NewChunk]
    ) -> bool:
        """Store the chunks of a file and delete its old ones.

        Searches find them once the file is `completed`.

        Returns:
            False if the file was detached or attached again (`attempt`) in the meantime.
        """
        file = (vector_store_id, file_id, attempt)
        if not await self.clear(*file):
            return False
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            if not await self._database.write(lambda c, b=batch, s=start: _add(c, file, s, b)):  # type: ignore[misc]
                return False
        return True

    async def clear(self, vector_store_id: str, file_id: str, attempt: str) -> bool:
        """Remove the chunks of a file that is to be read, a slice per transaction.

        Returns:
            False if the file was detached or attached again (`attempt`) in the meantime.
        """
        file = (vector_store_id, file_id, attempt)
        while removed := await self._database.write(lambda c: _clear(c, *file)):
            pass
        return removed is not None

    async def search(self, query: ChunkQuery) -> FoundChunks:
        """Return the best chunks of the completed and allowed files."""
        return await self._database.read(lambda c: _search(c, self._blocks, query))

    async def build_indexes(self, least: int) -> None:
        """Build the missing indexes of vector stores with at least `least` chunks, on PostgreSQL."""
        for dimensions in await self._database.read(lambda c: missing_indexes(c, least)):
            await self._database.maintain(lambda c, d=dimensions: create_index(c, d))  # type: ignore[misc]

    async def get(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """Return the chunks by ID, without those that no longer exist."""
        return await self._database.read(lambda c: _get(c, ids))

    async def of_file(self, vector_store_id: str, file_id: str) -> list[str]:
        """Return the texts of a file's chunks, in order."""
        own = (chunks.c.vector_store_id == vector_store_id) & (chunks.c.file_id == file_id)
        listed = select(chunks.c.text).where(own).order_by(chunks.c.position)
        return await self._database.read(lambda c: list(c.execute(listed).scalars()))


_LAST = select(chunks.c.id).order_by(chunks.c.id.desc()).limit(1)


def _is_current(connection: Connection, vector_store_id: str, file_id: str, attempt: str) -> bool:
    at = vector_store_files.c
    current = (at.vector_store_id == vector_store_id) & (at.file_id == file_id) & (at.attempt == attempt)
    return connection.execute(select(at.file_id).where(current).with_for_update()).first() is not None


def _clear(connection: Connection, vector_store_id: str, file_id: str, attempt: str) -> int | None:
    """Remove a slice of a file's chunks; return their number, or None if the file isn't wanted any more."""
    if not _is_current(connection, vector_store_id, file_id, attempt):
        return None
    return remove_chunks(connection, vector_store_id, file_id)


def _add(connection: Connection, file: tuple[str, str, str], start: int, new: Sequence[NewChunk]) -> bool:
    if not _is_current(connection, *file):
        return False
    add_chunks(connection, file[:2], start, new)
    return True


def add_chunks(connection: Connection, file: tuple[str, str], start: int, new: Sequence[NewChunk]) -> None:
    """Store neighboring chunks of a file, with their words and vectors.

    Args:
        connection: The connection to use.
        file: The vector store and the file.
        start: The position of the first chunk.
        new: The chunks.
    """
    rows = [
        {"vector_store_id": file[0], "file_id": file[1], "position": start + at, "text": chunk.text}
        for at, chunk in enumerate(new)
    ]
    inserted = insert(chunks).returning(chunks.c.id, sort_by_parameter_order=True)
    ids = connection.execute(inserted, rows).scalars().all()
    sqlite = connection.dialect.name == "sqlite"
    terms = [words(chunk.text) for chunk in new]
    connection.execute(
        text(_ADD_TERMS_SQLITE if sqlite else _ADD_TERMS_POSTGRESQL),
        [
            {"id": chunk_id, "store": store_token(file[0]), "terms": " ".join(found), "words": len(found)}
            for chunk_id, found in zip(ids, terms, strict=True)
        ],
    )
    vectors = [(id_, chunk.vector) for id_, chunk in zip(ids, new, strict=True) if chunk.vector is not None]
    if vectors:
        _add_vectors(connection, file, vectors)


def _add_vectors(connection: Connection, file: tuple[str, str], new: Sequence[tuple[int, bytes]]) -> None:
    schema = None if connection.dialect.name == "sqlite" else pgvector_schema(connection)
    value = f"CAST(:vector AS {schema}.vector)" if schema else ":vector"
    rows = [{"id": id_, "vector": pgvector_text(vector) if schema else vector} for id_, vector in new]
    connection.execute(
        text(f"INSERT INTO chunk_vectors (chunk_id, vector) VALUES (:id, {value})"),  # noqa: S608
        rows,
    )
    if schema is None:
        add_block(connection, file, new)


_ADD_TERMS_SQLITE = "INSERT INTO chunk_terms (rowid, store, terms) VALUES (:id, :store, :terms)"
_ADD_TERMS_POSTGRESQL = (
    "INSERT INTO chunk_terms (chunk_id, terms, words) VALUES (:id, to_tsvector('english', :terms), :words)"
)


def _search(connection: Connection, blocks: Blocks, query: ChunkQuery) -> FoundChunks:
    scope = Scope(query.vector_store_ids, query.allowed)
    by_words = by_vector = None
    if query.words is not None:
        by_words = find_words(connection, query.words, scope, query.limit)
    if query.vector is not None:
        by_vector = find_nearest(connection, blocks, query.vector, scope, query.limit, query.index_from)
    return FoundChunks(by_words or {}, by_vector or {})


_GET = select(
    chunks.c.id, chunks.c.vector_store_id, chunks.c.file_id, chunks.c.position, chunks.c.text
).where(chunks.c.id.in_(bindparam("ids", expanding=True)))


def _get(connection: Connection, ids: Sequence[int]) -> dict[int, StoredChunk]:
    if not ids:
        return {}
    rows = connection.execute(_GET, {"ids": list(ids)})
    return {row.id: StoredChunk(row.vector_store_id, row.file_id, row.position, row.text) for row in rows}
