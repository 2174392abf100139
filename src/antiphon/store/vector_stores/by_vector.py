"""Exact semantic search over chunks, by pgvector or by this process."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import cast

import simsimd
from sqlalchemy import Connection, Row, text

from antiphon.store.vector_stores.tables import pgvector_schema
from antiphon.wire.json import JSON

_FLOAT = 4
"""Bytes of a 32-bit float."""
_distance = cast("Callable[[memoryview[float], memoryview[float]], float]", simsimd.cosine)
"""1 - cosine of two vectors; the library's type hints cover only matrices."""
_ROWS = 1000
"""The most vectors in memory at a time."""

_SCAN = "SELECT chunk_id, vector FROM chunk_vectors WHERE chunk_id IN ({scope}) AND length(vector) = :bytes"
_NEAREST = (
    # Vectors of another length come from another model and are never compared. A condition in WHERE
    # alone isn't enough, because the planner may evaluate it too late.
    "SELECT chunk_id, 1 - distance FROM (SELECT chunk_id, "
    "CASE WHEN {schema}.vector_dims(vector) = :dimensions "
    "THEN vector OPERATOR({schema}.<=>) CAST(:vector AS {schema}.vector) END AS distance "
    "FROM chunk_vectors WHERE chunk_id IN ({scope})) AS compared "
    "WHERE distance <> 'NaN' ORDER BY distance, chunk_id LIMIT :limit"
)


def find_nearest(
    connection: Connection, vector: bytes, scope: str, given: dict[str, JSON], limit: int
) -> dict[int, float]:
    """Return the chunks with the nearest vectors, with their cosines.

    Args:
        connection: The connection to use.
        vector: Packed 32-bit floats.
        scope: SQL query for the IDs of the chunks to search.
        given: Parameters of `scope`.
        limit: The most chunks to return.

    Returns:
        The cosines by chunk ID; negative ones are 0.
    """
    schema = None if connection.dialect.name == "sqlite" else pgvector_schema(connection)
    if schema is None:
        rows = connection.execute(text(_SCAN.format(scope=scope)), {**given, "bytes": len(vector)})
        compared = _compared(vector, rows.yield_per(_ROWS))
        nearest = heapq.nlargest(limit, compared, key=itemgetter(1))
    else:
        own = {"vector": pgvector_text(vector), "dimensions": len(vector) // _FLOAT, "limit": limit}
        found = connection.execute(text(_NEAREST.format(scope=scope, schema=schema)), {**given, **own})
        nearest = [(chunk_id, cosine) for chunk_id, cosine in found]
    return {chunk_id: min(max(cosine, 0.0), 1.0) for chunk_id, cosine in nearest}


def pgvector_text(vector: bytes) -> str:
    """Return packed floats in pgvector's text form, such as `[0.1,0.2]`."""
    return f"[{','.join(map(repr, memoryview(vector).cast('f').tolist()))}]"


def _compared(vector: bytes, rows: Iterable[Row[int, bytes]]) -> Iterator[tuple[int, float]]:
    sought = memoryview(vector).cast("f")
    for chunk_id, packed in rows:
        yield chunk_id, 1.0 - _distance(sought, memoryview(packed).cast("f"))
