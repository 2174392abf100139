"""Semantic search over chunks, by pgvector or by this process."""

from sqlalchemy import Connection, text

from antiphon.store.vector_stores.search.blocks import FLOAT, Blocks
from antiphon.store.vector_stores.search.by_codes import find_by_codes
from antiphon.store.vector_stores.search.hnsw import find_by_index
from antiphon.store.vector_stores.search.scope import Scope
from antiphon.store.vector_stores.tables import pgvector_schema
from antiphon.wire.json import JSON

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
    connection: Connection,
    blocks: Blocks,
    vector: bytes,
    scope: Scope,
    limit: int,
    index_from: int | None = None,
) -> dict[int, float]:
    """Return the chunks with the nearest vectors, with their cosines.

    Args:
        connection: The connection to use.
        blocks: The blocks of vectors.
        vector: Packed 32-bit floats.
        scope: The chunks to search.
        limit: The most chunks to return.
        index_from: The chunks of a vector store from which PostgreSQL uses an approximate index.

    Returns:
        The cosines by chunk ID; negative ones are 0.
    """
    if scope.is_empty:
        return {}
    if connection.dialect.name == "sqlite" or pgvector_schema(connection) is None:
        nearest = find_by_codes(connection, blocks, vector, scope, limit)
    else:
        nearest = _find_by_pgvector(connection, vector, scope, limit, index_from)
    return {chunk_id: min(max(cosine, 0.0), 1.0) for chunk_id, cosine in nearest.items()}


def _find_by_pgvector(
    connection: Connection, vector: bytes, scope: Scope, limit: int, index_from: int | None
) -> dict[int, float]:
    written, dimensions = pgvector_text(vector), len(vector) // FLOAT
    if index_from is not None:
        found = find_by_index(connection, written, dimensions, scope, limit, index_from)
        if found is not None:
            return found
    chosen, given = scope.postgresql()
    own: dict[str, JSON] = {"vector": written, "dimensions": dimensions, "limit": limit}
    query = text(_NEAREST.format(scope=chosen, schema=pgvector_schema(connection)))
    return {row[0]: row[1] for row in connection.execute(query, {**given, **own})}


def pgvector_text(vector: bytes) -> str:
    """Return packed floats in pgvector's text form, such as `[0.1,0.2]`."""
    return f"[{','.join(map(repr, memoryview(vector).cast('f').tolist()))}]"
