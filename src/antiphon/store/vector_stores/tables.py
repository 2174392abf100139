"""The tables of chunks. What finds words and vectors in them is made of what each database has.

On SQLite an FTS5 table holds the words, on PostgreSQL a column of type `tsvector`; both are called
`chunk_terms`. Vectors are packed 32-bit floats, or of pgvector's type where PostgreSQL has the extension.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    Integer,
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

_SQLITE = (
    # The store is a column of the index, so that a search reads no other store's rows. `porter` makes one
    # word of `search` and `searches`, as PostgreSQL's `english` does.
    "CREATE VIRTUAL TABLE chunk_terms USING fts5(store, terms, tokenize = 'porter unicode61')",
    "CREATE TRIGGER chunk_terms_gone AFTER DELETE ON chunks BEGIN "
    "DELETE FROM chunk_terms WHERE rowid = old.id; END",
    "CREATE TABLE chunk_vectors (chunk_id INTEGER PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, "
    "vector BLOB NOT NULL)",
)
_POSTGRESQL = (
    "CREATE TABLE chunk_terms (chunk_id BIGINT PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, "
    "terms TSVECTOR NOT NULL, words INTEGER NOT NULL)",
    # Kept in the row: ranking looks into the terms of every chunk that has one of the words.
    "ALTER TABLE chunk_terms ALTER COLUMN terms SET STORAGE MAIN",
    "CREATE INDEX chunk_terms_index ON chunk_terms USING gin (terms)",
    "CREATE TABLE chunk_vectors (chunk_id BIGINT PRIMARY KEY REFERENCES chunks (id) ON DELETE CASCADE, "
    "vector {vector} NOT NULL)",
    # In the row as well, as long as they fit: every search compares all of a store's vectors.
    "ALTER TABLE chunk_vectors ALTER COLUMN vector SET STORAGE MAIN",
)


def pgvector_schema(connection: Connection) -> str | None:
    """Returns the schema, quoted, in which PostgreSQL has the extension pgvector, or None without it."""
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
            # In `public`, where every schema's tables can use it.
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public"))
    except DBAPIError:
        pass  # not installed, or not allowed: vectors are compared here then, one by one
    schema = pgvector_schema(connection)
    for statement in _POSTGRESQL:
        connection.execute(text(statement.format(vector=f"{schema}.vector" if schema else "BYTEA")))
