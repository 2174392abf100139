"""Approximate semantic search with pgvector's HNSW index, for large vector stores on PostgreSQL.

One index per number of dimensions has the vectors of all stores, with 16 bits per number. pgvector continues
its scan until enough chunks are in the scope (`hnsw.iterative_scan`), and exact cosines determine the order
of what it finds.
"""

from sqlalchemy import Connection, text

from antiphon.store.vector_stores.search.scope import Scope
from antiphon.store.vector_stores.tables import pgvector_schema
from antiphon.wire.json import JSON

_MOST_DIMENSIONS = 4000
"""The most dimensions that the index supports."""
_VERSION = (0, 8)
"""The first version of pgvector with iterative scans."""
_LOCK = 0x616E7470
"""The key of PostgreSQL's advisory lock: only one server builds an index at a time."""
_MORE = 4
"""How many times more chunks the index finds than the search needs."""
_MOST_SEARCHED = 1000
"""The largest `hnsw.ef_search` of pgvector."""

_NEAREST = """
SELECT chunk_id, 1 - distance FROM (
    SELECT chunk_id, vector OPERATOR({schema}.<=>) CAST(:vector AS {schema}.vector) AS distance FROM (
        SELECT chunk_id, vector FROM chunk_vectors
        WHERE {schema}.vector_dims(vector) = {dimensions}
        -- CASE keeps the planner from joining the tables, which would compare all vectors.
        AND CASE WHEN EXISTS ({scope} AND id = chunk_id) THEN TRUE END
        ORDER BY CAST(vector AS {schema}.halfvec({dimensions})) OPERATOR({schema}.<=>)
            CAST(:vector AS {schema}.halfvec({dimensions}))
        LIMIT :more
    ) AS near
) AS compared
WHERE distance <> 'NaN' ORDER BY distance, chunk_id LIMIT :limit
"""
_CREATE = """
CREATE INDEX CONCURRENTLY {name} ON chunk_vectors
USING hnsw (CAST(vector AS {schema}.halfvec({dimensions})) {schema}.halfvec_cosine_ops)
WITH (ef_construction = 128)
WHERE {schema}.vector_dims(vector) = {dimensions}
"""
_SIZE = text(
    "SELECT count(*) FROM (SELECT FROM chunks WHERE vector_store_id IN "
    "(SELECT json_array_elements_text(CAST(:store_list AS json))) LIMIT :least) AS counted"
)
_LARGE = (
    "SELECT DISTINCT (SELECT {schema}.vector_dims(vector) FROM chunk_vectors JOIN chunks ON id = chunk_id "
    "WHERE vector_store_id = large.vector_store_id LIMIT 1) FROM (SELECT vector_store_id FROM chunks "
    "GROUP BY vector_store_id HAVING count(*) >= :least) AS large"
)


def find_by_index(
    connection: Connection, vector: str, dimensions: int, scope: Scope, limit: int, least: int
) -> dict[int, float] | None:
    """Return the chunks with the nearest vectors, with their cosines.

    Args:
        connection: The connection to use.
        vector: The vector in pgvector's text form.
        dimensions: The length of the vector.
        scope: The chunks to search.
        limit: The most chunks to return.
        least: The chunks of a vector store from which to use the index.

    Returns:
        None if there is no index, or if it finds too few chunks: then all vectors must be compared.
    """
    schema = pgvector_schema(connection)
    if schema is None or scope.has_filter or not _is_valid(connection, dimensions):
        return None
    chosen, given = scope.postgresql()
    if int(connection.execute(_SIZE, {**given, "least": least}).scalar_one()) < least:
        return None
    more = _MORE * limit
    connection.execute(text("SET LOCAL hnsw.iterative_scan = strict_order"))
    connection.execute(text(f"SET LOCAL hnsw.ef_search = {min(more, _MOST_SEARCHED)}"))
    own: dict[str, JSON] = {"vector": vector, "more": more, "limit": limit}
    query = text(_NEAREST.format(schema=schema, dimensions=dimensions, scope=chosen))
    found = {row[0]: row[1] for row in connection.execute(query, {**given, **own})}
    return found if len(found) == limit else None


def missing_indexes(connection: Connection, least: int) -> list[int]:
    """Return the dimensions of vector stores with at least `least` chunks that lack an index."""
    schema = None if connection.dialect.name == "sqlite" else pgvector_schema(connection)
    if schema is None or _version(connection) < _VERSION:
        return []
    found = connection.execute(text(_LARGE.format(schema=schema)), {"least": least}).scalars()
    return [each for each in found if each and each <= _MOST_DIMENSIONS and not _is_valid(connection, each)]


def create_index(connection: Connection, dimensions: int) -> None:
    """Build an index beside reads and writes; the connection has no transaction.

    Nothing happens while another server builds one.
    """
    schema = pgvector_schema(connection)
    if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one():
        return
    try:
        if not _is_valid(connection, dimensions):
            # A build that was interrupted leaves an index that is never used.
            connection.execute(text(f"DROP INDEX IF EXISTS {_name(dimensions)}"))
            statement = _CREATE.format(name=_name(dimensions), schema=schema, dimensions=dimensions)
            connection.execute(text(statement))
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})


def _name(dimensions: int) -> str:
    return f"chunk_vectors_hnsw_{dimensions}"


def _is_valid(connection: Connection, dimensions: int) -> bool:
    valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(connection.execute(valid, {"name": _name(dimensions)}).scalar_one_or_none())


def _version(connection: Connection) -> tuple[int, ...]:
    version = text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    return tuple(int(part) for part in str(connection.execute(version).scalar_one()).split(".")[:2])
