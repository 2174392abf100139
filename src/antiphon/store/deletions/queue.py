"""The queue of objects whose rows are still to be removed.

The transaction that deletes a large object hides it and queues it. `DeletionRecords` removes its rows later,
in slices. The queue is in the database, so that the next server continues after a crash.
"""

from collections.abc import Callable
from enum import Enum
from typing import Literal

from sqlalchemy import Column, Connection, PrimaryKeyConstraint, Table, Text, insert, literal, select, text

from antiphon.store.tables import (
    add_column,
    conversations,
    files,
    index_responses_of_conversations,
    metadata,
    responses,
    vector_stores,
)

Kind = Literal["conversation", "detached_files", "file", "response", "vector_store"]
"""The kind of a queued object; `detached_files` are those of a vector store with this ID."""

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


Step = Callable[[Connection, str], Progress]
"""Removes some rows of an object by ID; it also works for objects that no longer exist."""

_INSERT = text("INSERT INTO deletions (kind, id) VALUES (:kind, :id) ON CONFLICT DO NOTHING")


def remove_later(connection: Connection, kind: Kind, object_id: str) -> None:
    """Queue an object, unless the queue has it already."""
    connection.execute(_INSERT, {"kind": kind, "id": object_id})


def remove_or_queue(connection: Connection, kind: Kind, object_id: str, step: Step) -> None:
    """Remove a slice of an object at once, and queue the object if more is left."""
    if step(connection, object_id) is not Progress.DONE:
        remove_later(connection, kind, object_id)


def m009_deletions(connection: Connection) -> None:
    """Add the queue, with the conversations that were deleted before it existed."""
    metadata.create_all(connection, [deletions])
    for table in (responses, files, vector_stores):
        add_column(connection, table.c.deleted_at)
    index_responses_of_conversations(connection)
    deleted = select(literal("conversation"), conversations.c.id).where(
        conversations.c.deleted_at.is_not(None)
    )
    connection.execute(insert(deletions).from_select(["kind", "id"], deleted))
