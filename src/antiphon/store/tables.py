"""The tables, the same on SQLite and PostgreSQL.

Bodies are JSON texts, exactly as the API shows them: whoever opens the database can read it. Items are
stored once and linked; link rows carry positions. An item's id is unique for its owner only, because ids
may come from callers; links find the owner through their response or conversation.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    event,
    text,
)

metadata = MetaData()


def _partial_index(name: str, column: Column[str | None], condition: str) -> None:
    """Creates an index of some rows together with their table.

    As SQL, for SQLAlchemy's own way loads every dialect that is named, and PostgreSQL's takes long.
    """

    @event.listens_for(column.table, "after_create")
    def create(target: Table, connection: Connection, **_: object) -> None:
        connection.execute(text(f"CREATE INDEX {name} ON {target.name} ({column.name}) WHERE {condition}"))


schema_version = Table("schema_version", metadata, Column("name", Text, primary_key=True))
"""The names of the migrations that this database has seen."""

servers = Table(
    "servers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),
)
"""Every server at work on this database, and when it last said so (seconds since 1970)."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("hash", Text, primary_key=True),  # SHA-256 of the key, in hexadecimal digits
    Column("name", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("hint", Text, nullable=False),  # the key's last characters
    Column("created_at", Double, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("concurrent_streams", Integer),
)
"""The keys of callers. The keys themselves are not kept."""

items = Table(
    "items",
    metadata,
    Column("owner", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    # The id first: with the owner first, planners walk through all of an owner's items to find a few.
    PrimaryKeyConstraint("id", "owner"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("metadata", Text, nullable=False),
    # Counts up for ever: a position is not used again after its item is deleted, so that a response which
    # remembers how far it had read never sees a later item there.
    Column("next_position", Integer, nullable=False),
    Column("deleted_at", Double),
    Column("locked_by", Text),  # the id of the response at work, which may have no row (`store: false`)
    Column("locked_server", Text),
)
_partial_index("conversations_locked", conversations.c.locked_by, "locked_by IS NOT NULL")

conversation_items = Table(
    "conversation_items",
    metadata,
    Column("conversation_id", Text, ForeignKey("conversations.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("item_id", Text, nullable=False, index=True),
    PrimaryKeyConstraint("conversation_id", "position"),
    UniqueConstraint("conversation_id", "item_id"),
    sqlite_with_rowid=False,
)

responses = Table(
    "responses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("completed_at", Double),
    Column("status", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("previous_response_id", Text),
    Column("conversation_id", Text, ForeignKey("conversations.id")),
    # The response saw the conversation's items at positions below this one.
    Column("conversation_position", Integer),
    Column("server_id", Text, nullable=False),
    Column("body", Text, nullable=False),  # the response object; its `output` is kept as items
)
Index("responses_by_time", responses.c.owner, responses.c.created_at, responses.c.id)
is_running = responses.c.status.in_(
    # The values are written into the SQL: else no planner sees that the partial index below fits.
    bindparam("running", ("queued", "in_progress"), expanding=True, literal_execute=True)
)
"""The condition that a response has not reached its final status."""
_partial_index("responses_running", responses.c.server_id, "status IN ('queued', 'in_progress')")

response_items = Table(
    "response_items",
    metadata,
    Column("response_id", Text, ForeignKey("responses.id", ondelete="CASCADE"), nullable=False),
    Column("direction", Text, nullable=False),  # "input" sorts before "output"
    Column("position", Integer, nullable=False),
    Column("item_id", Text, nullable=False, index=True),
    PrimaryKeyConstraint("response_id", "direction", "position"),
    sqlite_with_rowid=False,
)

files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),  # as the API shows it
    Column("deadline", Double),  # the same by the store's own clock, which is never frozen
    Column("purpose", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("media_type", Text),
    Column("bytes", BigInteger, nullable=False),
)
"""Uploaded files; their bytes lie in a folder, each under its id."""
Index("files_by_time", files.c.owner, files.c.created_at, files.c.id)

vector_stores = Table(
    "vector_stores",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_active_at", Double, nullable=False),  # as the API shows it
    Column("used_at", Double, nullable=False),  # the same by the store's own clock, which is never frozen
    Column("expires_after_days", Integer),
    Column("name", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("embedding_model", Text),
    Column("embedding_dimension", Integer),
)
Index("vector_stores_by_time", vector_stores.c.owner, vector_stores.c.created_at, vector_stores.c.id)

file_batches = Table(
    "file_batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("vector_store_id", Text, ForeignKey("vector_stores.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("cancelled", Boolean, nullable=False),
)
Index("file_batches_of_store", file_batches.c.vector_store_id)

vector_store_files = Table(
    "vector_store_files",
    metadata,
    Column("vector_store_id", Text, ForeignKey("vector_stores.id", ondelete="CASCADE"), nullable=False),
    Column("file_id", Text, ForeignKey("files.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("batch_id", Text, index=True),
    Column("status", Text, nullable=False),
    Column("attempt", Text, nullable=False),  # attached anew, the file's earlier reading counts no more
    Column("server_id", Text, nullable=False),  # who reads the file while it is in progress
    Column("usage_bytes", BigInteger, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("attributes", Text, nullable=False),
    Column("max_chunk_size", Integer, nullable=False),
    Column("chunk_overlap", Integer, nullable=False),
    PrimaryKeyConstraint("vector_store_id", "file_id"),
)
"""The files of vector stores; the owner is the store's, and the file's."""
is_being_read = vector_store_files.c.status == bindparam("being_read", "in_progress", literal_execute=True)
"""The condition that a file's reading has not ended. Written into the SQL, as in `is_running`."""
_partial_index("vector_store_files_being_read", vector_store_files.c.server_id, "status = 'in_progress'")
Index(
    "vector_store_files_by_time",
    vector_store_files.c.vector_store_id,
    vector_store_files.c.created_at,
    vector_store_files.c.file_id,
)

prompts = Table(
    "prompts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("default_version", Integer, nullable=False),
    Column("latest_version", Integer, nullable=False),
)
Index("prompts_by_time", prompts.c.owner, prompts.c.created_at, prompts.c.id)

prompt_versions = Table(
    "prompt_versions",
    metadata,
    Column("prompt_id", Text, ForeignKey("prompts.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("variables", Text, nullable=False),  # their names, a JSON list
    PrimaryKeyConstraint("prompt_id", "version"),
)
