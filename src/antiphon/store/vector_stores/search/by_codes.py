"""Semantic search in this process, for databases that don't compare vectors.

One call compares thousands of vectors, with one byte per number, without Python's global lock. So it finds
some more chunks than the search needs. Their vectors in `chunk_vectors`, with 32 bits per number, determine
the order and the cosines.
"""

import math
from collections.abc import Callable, Iterable, Iterator
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
    farthest = math.inf
    for store in scope.vector_store_ids:
        for part in blocks.parts(connection, store, len(sought)):
            distances = _distances(sought, part.codes, "b")
            near = [at for at, distance in enumerate(distances) if distance <= farthest]
            if scope.has_filter:
                near = list(_allowed(near, part, store, scope))
            if len(near) > wanted:  # Numbers are sorted faster than pairs.
                farthest = sorted([distances[at] for at in near])[wanted - 1]
                near = [at for at in near if distances[at] <= farthest]
            nearest += [(distances[at], part.ids[at]) for at in near]
            nearest.sort()
            del nearest[wanted:]
            if len(nearest) == wanted:
                farthest = nearest[-1][0]
    return [chunk_id for _, chunk_id in nearest]


def _allowed(near: Iterable[int], part: Part, store: str, scope: Scope) -> Iterator[int]:
    """Yield those of the vectors, in the order of the part, whose file the filters allow."""
    files = iter(part.files)
    end, is_allowed = 0, False
    for at in near:
        while at >= end:
            file_id, end = next(files)
            is_allowed = at < end and scope.has_file(store, file_id)
        if is_allowed:
            yield at


def _distances(vector: bytes, others: bytes, kind: Literal["b", "f"]) -> list[float]:
    """Return 1 - cosine of a vector to each of the others; `kind` is their type in `struct`'s notation."""
    size = len(memoryview(vector).cast(kind))
    one = memoryview(vector).cast(kind, (1, size))
    many = memoryview(others).cast(kind, (len(others) // len(vector), size))
    return cast("list[list[float]]", memoryview(_compare(one, many)).tolist())[0]
