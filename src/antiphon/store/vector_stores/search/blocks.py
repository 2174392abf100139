"""Blocks of vectors, with one byte per number, and their copies in memory.

A block has the vectors of neighboring chunks of one file. Searches compare them where PostgreSQL doesn't
compare vectors itself; see `by_codes`.
"""

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from msgspec import Struct
from sqlalchemy import Connection, insert, inspect, text

from antiphon.store.vector_stores.tables import pgvector_schema, vector_blocks

FLOAT = 4
"""Bytes of a 32-bit float."""
_LARGEST = 127
"""The largest number of one byte with a sign."""
_PART = 4 * 1024 * 1024
"""Bytes of codes to compare by one call."""
_MEMORY = 128 * 1024 * 1024
"""The most bytes of codes in memory; a search reads those of larger vector stores from the database."""
_FEW_PARTS = 16
"""The number of added parts after which all parts are read again, as fewer and larger ones."""
_ROWS = 500
"""The most blocks to fetch at a time."""

_STATE = text(
    "SELECT count(*), coalesce(sum(id), 0), coalesce(max(id), 0), coalesce(sum(vectors), 0) "
    "FROM vector_blocks WHERE vector_store_id = :store AND dimensions = :dimensions AND id <= :last"
)
_BLOCKS = text(
    "SELECT file_id, ids, codes FROM vector_blocks "
    "WHERE vector_store_id = :store AND dimensions = :dimensions AND id > :after ORDER BY id"
)
_VECTORS = text(
    "SELECT id, vector_store_id, file_id, vector FROM chunks JOIN chunk_vectors ON chunk_id = id "
    "ORDER BY vector_store_id, file_id, position"
)
_MIGRATED = 200
"""The vectors in a block that the migration makes."""
_ALL = 2**62
"""Larger than each block's ID."""


class Part(Struct, frozen=True):
    """The vectors of many blocks, to compare by one call."""

    ids: "array[int]"
    """The ID of the chunk of each vector."""
    codes: bytes
    """The vectors, with one byte per number."""
    files: list[tuple[str, int]]
    """The file of each block, and the number of vectors up to its end."""


class _Held(Struct, frozen=True):
    """The vectors of a vector store in memory."""

    state: tuple[int, int, int, int]
    """The number of blocks, the sum of their IDs, the last ID, and the number of vectors."""
    parts: list[Part]
    """All vectors."""
    added: int
    """The number of parts that were read after the others."""


def add_block(connection: Connection, file: tuple[str, str], new: Sequence[tuple[int, bytes]]) -> None:
    """Add the vectors of neighboring chunks of a file.

    Args:
        connection: The connection to use.
        file: The vector store and the file.
        new: The IDs of the chunks with their vectors as packed 32-bit floats.
    """
    by_length: dict[int, list[tuple[int, bytes]]] = {}
    for chunk_id, vector in new:
        by_length.setdefault(len(vector), []).append((chunk_id, vector))
    rows = [
        {
            "chunk_id": some[0][0],
            "vector_store_id": file[0],
            "file_id": file[1],
            "dimensions": length // FLOAT,
            "vectors": len(some),
            "ids": array("q", [chunk_id for chunk_id, _ in some]).tobytes(),
            "codes": b"".join(codes_of(vector) for _, vector in some),
        }
        for length, some in by_length.items()
    ]
    connection.execute(insert(vector_blocks), rows)


def codes_of(vector: bytes) -> bytes:
    """Return packed 32-bit floats with one byte per number; the scale doesn't matter for cosines."""
    numbers = memoryview(vector).cast("f").tolist()
    scale = _LARGEST / (max(map(abs, numbers)) or 1.0)
    return array("b", [round(number * scale) for number in numbers]).tobytes()


def m014_vector_blocks(connection: Connection) -> None:
    """Add the blocks, from the vectors that this process compares."""
    if inspect(connection).has_table(vector_blocks.name):  # With the table of chunks of a very old database.
        return
    vector_blocks.create(connection)
    if connection.dialect.name != "sqlite" and pgvector_schema(connection) is not None:
        return
    file: tuple[str, str] = ("", "")
    new: list[tuple[int, bytes]] = []
    for chunk_id, vector_store_id, file_id, vector in connection.execute(_VECTORS).yield_per(_ROWS):
        if new and (file != (vector_store_id, file_id) or len(new) == _MIGRATED):
            add_block(connection, file, new)
            new = []
        file = (vector_store_id, file_id)
        new.append((chunk_id, bytes(vector)))
    if new:
        add_block(connection, file, new)


class Blocks:
    """The blocks of all vector stores; those of the last searches stay in memory."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, int], _Held] = OrderedDict()
        self._lock = threading.Lock()

    def parts(self, connection: Connection, store: str, dimensions: int) -> Iterable[Part]:
        """Return all vectors of a vector store with this number of dimensions.

        They may include deleted chunks.
        """
        key = (store, dimensions)
        state = _state(connection, key, _ALL)
        if state[3] * dimensions > _MEMORY:
            return _read(connection, key, 0)
        with self._lock:
            held = self._held.pop(key, None)
            if held is None or held.state != state:
                held = _refreshed(connection, key, held, state)
            self._held[key] = held
            size = sum(each.state[3] * length for (_, length), each in self._held.items())
            while size > _MEMORY:
                (_, length), gone = self._held.popitem(last=False)
                size -= gone.state[3] * length
            return held.parts


def _state(connection: Connection, key: tuple[str, int], last: int) -> tuple[int, int, int, int]:
    found = connection.execute(_STATE, {"store": key[0], "dimensions": key[1], "last": last}).one()
    return cast("tuple[int, int, int, int]", tuple(int(number) for number in found))


def _refreshed(
    connection: Connection, key: tuple[str, int], held: _Held | None, state: tuple[int, int, int, int]
) -> _Held:
    if held is None or held.added == _FEW_PARTS or _state(connection, key, held.state[2]) != held.state:
        return _Held(state, list(_read(connection, key, 0)), 0)
    return _Held(state, [*held.parts, *_read(connection, key, held.state[2])], held.added + 1)


def _read(connection: Connection, key: tuple[str, int], after: int) -> Iterator[Part]:
    given = {"store": key[0], "dimensions": key[1], "after": after}
    ids: array[int] = array("q")
    codes = bytearray()
    files: list[tuple[str, int]] = []
    for file_id, packed, of_block in connection.execute(_BLOCKS, given).yield_per(_ROWS):
        ids.frombytes(packed)
        codes += of_block
        files.append((file_id, len(ids)))
        if len(codes) >= _PART:
            yield Part(ids, bytes(codes), files)
            ids, codes, files = array("q"), bytearray(), []
    if ids:
        yield Part(ids, bytes(codes), files)
