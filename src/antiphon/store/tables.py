"""The tables, the same on SQLite and PostgreSQL.

Bodies are JSON texts, exactly as the API shows them: whoever opens the database can read it. Items are
stored once and linked; link rows carry positions. An item's id is unique for its owner only, because ids
may come from callers; links find the owner through their response or conversation.
"""

from sqlalchemy import (
    Column,
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
)

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("name", Text, primary_key=True))
"""The names of the migrations that this database has seen."""

servers = Table(
    "servers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),
)
"""Every server at work on this database, and when it last said so (seconds since 1970)."""

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
Index(
    "conversations_locked",
    conversations.c.locked_by,
    sqlite_where=conversations.c.locked_by.is_not(None),
    postgresql_where=conversations.c.locked_by.is_not(None),
)

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
Index("responses_running", responses.c.server_id, sqlite_where=is_running, postgresql_where=is_running)

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
