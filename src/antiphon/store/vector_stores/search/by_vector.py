"""Semantic search over chunks, by pgvector or by this process."""

from sqlalchemy import Connection, text

from antiphon.store.vector_stores.search.blocks import FLOAT, Blocks
from antiphon.store.vector_stores.search.by_codes import find_by_codes
from antiphon.store.vector_stores.search.scope import Scope
from antiphon.store.vector_stores.tables import pgvector_schema

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
    connection: Connection, blocks: Blocks, vector: bytes, scope: Scope, limit: int
) -> dict[int, float]:
    """Return the chunks with the nearest vectors, with their cosines.

    Args:
        connection: The connection to use.
        blocks: The blocks of vectors.
        vector: Packed 32-bit floats.
        scope: The chunks to search.
        limit: The most chunks to return.

    Returns:
        The cosines by chunk ID; negative ones are 0.
    """
    if scope.is_empty:
        return {}
    schema = None if connection.dialect.name == "sqlite" else pgvector_schema(connection)
    if schema is None:
        nearest = find_by_codes(connection, blocks, vector, scope, limit)
    else:
        chosen, given = scope.postgresql()
        own = {"vector": pgvector_text(vector), "dimensions": len(vector) // FLOAT, "limit": limit}
        found = connection.execute(text(_NEAREST.format(scope=chosen, schema=schema)), {**given, **own})
        nearest = {row[0]: row[1] for row in found}
    return {chunk_id: min(max(cosine, 0.0), 1.0) for chunk_id, cosine in nearest.items()}


def pgvector_text(vector: bytes) -> str:
    """Return packed floats in pgvector's text form, such as `[0.1,0.2]`."""
    return f"[{','.join(map(repr, memoryview(vector).cast('f').tolist()))}]"
