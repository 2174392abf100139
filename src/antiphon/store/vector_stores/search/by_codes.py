"""Semantic search in this process, for databases that don't compare vectors.

One call compares thousands of vectors, with one byte per number, without Python's global lock. So it finds
some more chunks than the search needs. Their vectors in `chunk_vectors`, with 32 bits per number, determine
the order and the cosines.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypeAlias, cast

import msgspec
import simsimd
from sqlalchemy import Connection, text

from antiphon.store.vector_stores.search.blocks import Blocks, Part, codes_of
from antiphon.store.vector_stores.search.scope import Scope
from antiphon.wire.json import JSON

_MARGIN = 3
"""How many times more chunks the codes choose than the search needs."""

_IN_IDS = {
    "sqlite": "SELECT value FROM json_each(:ids)",
    "postgresql": "SELECT CAST(value AS bigint) FROM json_array_elements_text(CAST(:ids AS json))",
}
Numbers: TypeAlias = "memoryview[int] | memoryview[float]"
_compare = cast("Callable[[Numbers, Numbers], memoryview[float]]", partial(simsimd.cdist, metric="cosine"))
"""The distances (1 - cosine) of one vector to many; the library's type hints cover only arrays of NumPy."""


def find_by_codes(
    connection: Connection, blocks: Blocks, vector: bytes, scope: Scope, limit: int
) -> dict[int, float]:
    """Return the chunks with the nearest vectors, with their cosines."""
    wanted = _MARGIN * limit
    while True:
        near = _nearest(connection, blocks, vector, scope, wanted)
        kept = scope.keep(connection, near)
        if len(kept) >= limit or len(near) < wanted:
            break
        wanted *= 8  # Most of them belong to files that aren't completed.
    given: dict[str, JSON] = {"ids": msgspec.json.encode(list(kept)).decode(), "bytes": len(vector)}
    vectors = (
        f"SELECT chunk_id, vector FROM chunk_vectors WHERE chunk_id IN ({_IN_IDS[connection.dialect.name]}) "  # noqa: S608
        "AND length(vector) = :bytes"
    )
    rows = connection.execute(text(vectors), given).all()
    if not rows:
        return {}
    distances = _distances(vector, b"".join(row[1] for row in rows), "f")
    ranked = sorted((distance, row[0]) for distance, row in zip(distances, rows, strict=True))
    return {chunk_id: 1.0 - distance for distance, chunk_id in ranked[:limit]}


def _nearest(connection: Connection, blocks: Blocks, vector: bytes, scope: Scope, wanted: int) -> list[int]:
    """Return the IDs of the `wanted` nearest chunks by their codes, the nearest first."""
    sought = codes_of(vector)
    nearest: list[tuple[float, int]] = []
    farthest = 2.0
    for store in scope.vector_store_ids:
        for part in blocks.parts(connection, store, len(sought)):
            distances = _distances(sought, part.codes, "b")
            near: Iterator[tuple[float, int]] = zip(distances, part.ids, strict=True)
            if scope.has_filter:
                near = _allowed(distances, part, store, scope)
            nearest += [each for each in near if each[0] <= farthest]
            if len(nearest) > wanted:
                nearest.sort()
                del nearest[wanted:]
                farthest = nearest[-1][0]
    return [chunk_id for _, chunk_id in sorted(nearest)]


def _allowed(distances: list[float], part: Part, store: str, scope: Scope) -> Iterator[tuple[float, int]]:
    start = 0
    for file_id, end in part.files:
        if scope.has_file(store, file_id):
            yield from zip(distances[start:end], part.ids[start:end], strict=True)
        start = end


def _distances(vector: bytes, others: bytes, kind: Literal["b", "f"]) -> list[float]:
    """Return 1 - cosine of a vector to each of the others; `kind` is their type in `struct`'s notation."""
    size = len(memoryview(vector).cast(kind))
    one = memoryview(vector).cast(kind, (1, size))
    many = memoryview(others).cast(kind, (len(others) // len(vector), size))
    return cast("list[list[float]]", memoryview(_compare(one, many)).tolist())[0]
