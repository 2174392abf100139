"""The tables that several modules use, the same on SQLite and PostgreSQL.

A table of one module is in that module.

Bodies are JSON texts in the API's form, so that a person can read the database. Items are stored once, and
link rows with positions refer to them. Clients may choose item IDs, so an ID is unique only per owner; the
owner of a link is that of its response or conversation.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
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
    inspect,
    or_,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn

metadata = MetaData()

_AnyColumn = Column[str] | Column[float] | Column[str | None] | Column[int | None] | Column[float | None]


def _counter(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


def partial_index(name: str, columns: Sequence[_AnyColumn], condition: str) -> Callable[[Connection], None]:
    """Create an index of some rows together with its table.

    It uses SQL, because SQLAlchemy's own way imports every named dialect, and PostgreSQL's is slow to import.

    Returns:
        The function that creates the index in a database whose table exists already.
    """
    table, names = columns[0].table, ", ".join(column.name for column in columns)

    def create(connection: Connection) -> None:
        connection.execute(
            text(f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({names}) WHERE {condition}")
        )

    @event.listens_for(table, "after_create")
    def with_table(_target: Table, connection: Connection, **_: object) -> None:
        create(connection)

    return create


def add_column(
    connection: Connection, column: Column[float | None] | Column[int] | Column[str | None]
) -> None:
    """Add a column to an existing database, unless its table was created with the column."""
    table = column.table.name
    if column.name not in {found["name"] for found in inspect(connection).get_columns(table)}:
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {definition}"))


schema_version = Table("schema_version", metadata, Column("name", Text, primary_key=True))
"""The names of the applied migrations."""

DURABLE = "durable"
"""The server of background responses and of their locks: any server may go on with them."""

servers = Table(
    "servers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),
)
"""The running servers of this database, with their last heartbeats in Unix time."""


def is_left(holder: Column[str | None], server_id: str) -> ColumnElement[bool]:
    """Return the condition that the holder of work has stopped, or is this server.

    Combine it with the condition that this server isn't executing the work.
    """
    return or_(holder.not_in(select(servers.c.id)), holder == server_id)


items = Table(
    "items",
    metadata,
    Column("owner", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    # The ID comes first: with the owner first, planners scan all of an owner's items to find a few.
    PrimaryKeyConstraint("id", "owner"),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("metadata", Text, nullable=False),
    # The next position never decreases: positions of deleted items aren't reused, so that a response with the
    # position that it has read up to never gets a later item there.
    Column("next_position", Integer, nullable=False),
    Column("deleted_at", Double),  # Some of its items may still belong to the history of responses
    Column("locked_by", Text),  # The ID of the response in progress; it has no row with `store: false`
    Column("locked_server", Text),
    Column("used_at", Double),  # The last use by the store's own clock, which is never frozen
)
index_conversations_by_time = Index("conversations_by_time", conversations.c.created_at, conversations.c.id)
partial_index("conversations_locked", [conversations.c.locked_by], "locked_by IS NOT NULL")

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
    # The response includes the conversation's items at lower positions than this one.
    Column("conversation_position", Integer),
    Column("server_id", Text, nullable=False),
    Column("key_name", Text),  # The name of the API key
    Column("forked_from", Text),  # The response that this one is a fork of; it may have been deleted
    # Before the long texts, because a reader of a row passes everything that precedes a column.
    Column("summary", Text),  # For lists; see `wire.log.Summary`
    Column("body", Text, nullable=False),  # The response object without `output`, which is stored as items
    Column("deleted_at", Double),  # Its items are still being removed; see `deletions`
    Column("steps", Text),  # See `wire.log.Steps`
)
Index("responses_by_time", responses.c.owner, responses.c.created_at, responses.c.id)
index_responses_by_model = Index(
    "responses_by_model", responses.c.owner, responses.c.model, responses.c.created_at, responses.c.id
)
is_running = responses.c.status.in_(
    # The SQL contains the literal values, so that planners use the partial index below.
    bindparam("running", ("queued", "in_progress"), expanding=True, literal_execute=True)
)
"""The condition that a response has no final status yet."""
partial_index("responses_running", [responses.c.server_id], "status IN ('queued', 'in_progress')")
index_responses_of_conversations = partial_index(
    "responses_of_conversations",
    [responses.c.conversation_id, responses.c.conversation_position],
    "conversation_id IS NOT NULL",
)

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
    Column("expires_at", Double),  # The expiry in the API
    Column("deadline", Double),  # The same by the store's own clock, which is never frozen
    Column("purpose", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("media_type", Text),
    Column("bytes", BigInteger, nullable=False),
    Column("deleted_at", Double),  # Its chunks are still being removed; see `deletions`
)
"""Uploaded files; their content is in a folder, in files named by ID."""
Index("files_by_time", files.c.owner, files.c.created_at, files.c.id)
index_files_by_purpose = Index(
    "files_by_purpose", files.c.owner, files.c.purpose, files.c.created_at, files.c.id
)
index_files_by_deadline = partial_index("files_by_deadline", [files.c.deadline], "deadline IS NOT NULL")

vector_stores = Table(
    "vector_stores",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_active_at", Double, nullable=False),  # The last use in the API
    Column("used_at", Double, nullable=False),  # The same by the store's own clock, which is never frozen
    Column("expires_after_days", Integer),
    Column("name", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("embedding_model", Text),
    Column("embedding_dimension", Integer),
    # The numbers of its files by status, and the size of the completed ones; see `vector_stores/counters.py`
    *(_counter(name) for name in ("in_progress", "completed", "failed", "cancelled", "usage_bytes")),
    Column("deleted_at", Double),  # Its files are still being removed; see `deletions`
)
Index("vector_stores_by_time", vector_stores.c.owner, vector_stores.c.created_at, vector_stores.c.id)
index_vector_stores_by_use = partial_index(
    "vector_stores_by_use", [vector_stores.c.used_at], "expires_after_days IS NOT NULL"
)

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
    Column("status", Text, nullable=False),  # That of the API, or `detached` until the chunks are removed
    Column("attempt", Text, nullable=False),  # New for each attachment; results of earlier ones are dropped
    Column("server_id", Text, nullable=False),  # The server that reads the file while it is in progress
    Column("usage_bytes", BigInteger, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("attributes", Text, nullable=False),
    Column("max_chunk_size", Integer, nullable=False),
    Column("chunk_overlap", Integer, nullable=False),
    PrimaryKeyConstraint("vector_store_id", "file_id"),
)
"""The files of vector stores; the owner is that of the store and of the file."""
is_attached = vector_store_files.c.status != "detached"
"""The condition that a file isn't just being removed from the vector store."""
is_being_read = vector_store_files.c.status == bindparam("being_read", "in_progress", literal_execute=True)
"""The condition that reading a file hasn't ended; literal as in `is_running`."""
partial_index("vector_store_files_being_read", [vector_store_files.c.server_id], "status = 'in_progress'")
Index(
    "vector_store_files_by_time",
    vector_store_files.c.vector_store_id,
    vector_store_files.c.created_at,
    vector_store_files.c.file_id,
)
index_vector_store_files_by_status = Index(
    "vector_store_files_by_status",
    vector_store_files.c.vector_store_id,
    vector_store_files.c.status,
    vector_store_files.c.created_at,
    vector_store_files.c.file_id,
)


def m010_indexes(connection: Connection) -> None:
    """Add the indexes of lists by model, purpose and status, and of expiry."""
    index_responses_by_model.create(connection, checkfirst=True)
    index_files_by_purpose.create(connection, checkfirst=True)
    index_files_by_deadline(connection)
    index_vector_store_files_by_status.create(connection, checkfirst=True)
    index_vector_stores_by_use(connection)
