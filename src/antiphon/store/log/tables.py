"""Tables and indexes of the log; the steps of a stored response are columns of `responses`."""

from sqlalchemy import (
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
)

from antiphon.store.tables import add_column, metadata, partial_index, responses

log_entries = Table(
    "log_entries",
    metadata,
    Column("id", Text, primary_key=True),  # Of the request, or of the response that was not stored
    Column("kind", Text, nullable=False),  # "refused" or "unstored"
    Column("owner", Text, nullable=False),  # Empty if the client was not identified
    Column("key_name", Text),
    Column("created_at", Double, nullable=False),
    Column("status", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("steps", Text),
)
"""Refused requests, and the metadata of responses that were not stored."""
Index("log_entries_by_time", log_entries.c.created_at, log_entries.c.id)
Index("log_entries_of_owner", log_entries.c.owner, log_entries.c.kind, log_entries.c.created_at)

response_tools = Table(
    "response_tools",
    metadata,
    Column("tool", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("response_id", Text, ForeignKey("responses.id", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("tool", "created_at", "response_id"),
    sqlite_with_rowid=False,
)
"""The tools that responses have called, by time."""

unindexed = Table(
    "unindexed_responses",
    metadata,
    Column("response_id", Text, primary_key=True),
    sqlite_with_rowid=False,
)
"""The responses whose texts the search index does not have yet."""

index_responses_by_creation = Index("responses_by_creation", responses.c.created_at, responses.c.id)
index_responses_of_keys = partial_index(
    "responses_of_keys",
    [responses.c.key_name, responses.c.created_at, responses.c.id],
    "key_name IS NOT NULL",
)
index_failed_responses = partial_index(
    "responses_failed",
    [responses.c.created_at, responses.c.id],
    "status IN ('failed', 'incomplete', 'cancelled')",
)
index_forks = partial_index("responses_forked", [responses.c.forked_from], "forked_from IS NOT NULL")
index_continuations = partial_index(
    "responses_that_continue", [responses.c.previous_response_id], "previous_response_id IS NOT NULL"
)
FAILED = ("failed", "incomplete", "cancelled")
has_failed = responses.c.status.in_(
    # Literal, so that planners use the partial index.
    bindparam("failed", FAILED, expanding=True, literal_execute=True)
)
"""The condition that a response has ended without being complete."""


def m017_steps(connection: Connection) -> None:
    """Add the step log."""
    for column in (responses.c.key_name, responses.c.forked_from, responses.c.summary, responses.c.steps):
        add_column(connection, column)
    metadata.create_all(connection, [log_entries, response_tools, unindexed])
    index_responses_by_creation.create(connection, checkfirst=True)
    for create in (
        index_responses_of_keys,
        index_failed_responses,
        index_forks,
        index_continuations,
    ):
        create(connection)
