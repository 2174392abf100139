"""The queue of objects whose rows are still to be removed.

The transaction that deletes a large object hides it and queues it. `DeletionRecords` removes its rows later,
in slices. The queue is in the database, so that the next server continues after a crash.
"""

from enum import Enum
from typing import Literal

from sqlalchemy import Column, Connection, PrimaryKeyConstraint, Table, Text, insert, literal, select, text

from antiphon.store.tables import (
    add_column,
    conversations,
    index_responses_of_conversations,
    metadata,
    responses,
)

Kind = Literal["conversation", "response"]

deletions = Table(
    "deletions",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
)


class Progress(Enum):
    """The state of a deletion after one slice."""

    DONE = "done"
    """No row is left to remove."""
    MORE = "more"
    """More rows are left."""
    BLOCKED = "blocked"
    """Rows are left that a response in progress still needs."""


_INSERT = text("INSERT INTO deletions (kind, id) VALUES (:kind, :id) ON CONFLICT DO NOTHING")


def remove_later(connection: Connection, kind: Kind, object_id: str) -> None:
    """Queue an object, unless the queue has it already."""
    connection.execute(_INSERT, {"kind": kind, "id": object_id})


def m009_deletions(connection: Connection) -> None:
    """Add the queue, with the conversations that were deleted before it existed."""
    metadata.create_all(connection, [deletions])
    add_column(connection, responses.c.deleted_at)
    index_responses_of_conversations(connection)
    deleted = select(literal("conversation"), conversations.c.id).where(
        conversations.c.deleted_at.is_not(None)
    )
    connection.execute(insert(deletions).from_select(["kind", "id"], deleted))
