"""Tables of chunks, and the indexes that each database supports.

The words are in `chunk_terms`, an FTS5 table on SQLite and a table with a `tsvector` column on PostgreSQL.
Vectors are packed 32-bit floats, or have pgvector's type if PostgreSQL has this extension.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError

from antiphon.store.tables import metadata

chunks = Table(
    "chunks",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("vector_store_id", Text, nullable=False),
    Column("file_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("text", Text, nullable=False),
    ForeignKeyConstraint(
        ["vector_store_id", "file_id"],
        ["vector_store_files.vector_store_id", "vector_store_files.file_id"],
        ondelete="CASCADE",
    ),
    UniqueConstraint("vector_store_id", "file_id", "position"),
)

vector_blocks = Table(
    "vector_blocks",
    metadata,
    # Never reused, so that a search notices whether the blocks that it has in memory are all.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # The first chunk. Chunks of a file are deleted together, the first one before the others.
    Column("chunk_id", ForeignKey("chunks.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("vector_store_id", Text, nullable=False),
    Column("file_id", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("vectors", Integer, nullable=False),
    Column("ids", LargeBinary, nullable=False),
    Column("codes", LargeBinary, nullable=False),
    Index("vector_blocks_store", "vector_store_id", "dimensions", "vectors"),
    sqlite_autoincrement=True,
)


def m003_chunks(connection: Connection) -> None:
    """Add the tables of chunks and their indexes."""
    metadata.create_all(connection, [chunks])


_SQLITE = (
    # The store is a column of the index, so that a search skips the rows of other stores. `porter` treats
    # `search` and `searches` as the same word, like PostgreSQL's `english`.
    "CREATE VIRTUAL TABLE chunk_terms USING fts5(store, terms, tokenize = 'porter unicode61')",
    "CREATE TRIGGER chunk_terms_gone AFTER DELETE ON chunks BEGIN "
    "DELETE FROM chunk_terms WHERE rowid = old.id; END",
    "CREATE TABLE chunk_vectors (chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, "
    "vector BLOB NOT NULL)",
)
_POSTGRESQL = (
    "CREATE TABLE chunk_terms (chunk_id BIGINT PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, "
    "terms TSVECTOR NOT NULL, words INTEGER NOT NULL)",
    # Stored in the row, because ranking reads the terms of every chunk with one of the words.
    "ALTER TABLE chunk_terms ALTER COLUMN terms SET STORAGE MAIN",
    "CREATE INDEX chunk_terms_index ON chunk_terms USING gin (terms)",
    "CREATE TABLE chunk_vectors (chunk_id BIGINT PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, "
    "vector {vector} NOT NULL)",
    # Also stored in the row if they fit, because every search compares all vectors of a store.
    "ALTER TABLE chunk_vectors ALTER COLUMN vector SET STORAGE MAIN",
)


def pgvector_schema(connection: Connection) -> str | None:
    """Return the quoted schema of the extension pgvector, or None without it."""
    found = connection.execute(
        text(
            "SELECT quote_ident(nspname) FROM pg_extension "
            "JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'"
        )
    ).scalar_one_or_none()
    return None if found is None else str(found)


@event.listens_for(chunks, "after_create")
def _create_indexes(target: Table, connection: Connection, **_: object) -> None:
    if connection.dialect.name == "sqlite":
        for statement in _SQLITE:
            connection.execute(text(statement))
        return
    try:
        with connection.begin_nested():
            # In `public`, so that the tables of every schema can use it.
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public"))
    except DBAPIError:
        pass  # Not installed, or not allowed: this process compares the vectors instead.
    schema = pgvector_schema(connection)
    for statement in _POSTGRESQL:
        connection.execute(text(statement.format(vector=f"{schema}.vector" if schema else "BYTEA")))
