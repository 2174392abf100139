"""Locks that admit one response at a time to a conversation."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, update

from antiphon.store.tables import conversations

_LOCK = (
    update(conversations)
    .where(
        conversations.c.id == bindparam("conversation_id"),
        conversations.c.owner == bindparam("the_owner"),
        conversations.c.deleted_at.is_(None),
        conversations.c.locked_by.is_(None),
    )
    .values(
        locked_by=bindparam("response_id"), locked_server=bindparam("server_id"), used_at=bindparam("now")
    )
)
_RELEASE = (
    update(conversations)
    .where(conversations.c.locked_by.in_(bindparam("response_ids", expanding=True)))
    .values(locked_by=None, locked_server=None)
)


def take_lock(
    connection: Connection, owner: str, conversation_id: str, response_id: str, server_id: str, now: float
) -> bool:
    """Lock a conversation for a response, which uses it from `now` on.

    Returns:
        Whether the owner has the conversation and it was unlocked.
    """
    wanted = {
        "the_owner": owner,
        "conversation_id": conversation_id,
        "response_id": response_id,
        "server_id": server_id,
        "now": now,
    }
    return connection.execute(_LOCK, wanted).rowcount > 0


def release_locks(connection: Connection, response_ids: Sequence[str]) -> None:
    """Release the conversation locks of these responses."""
    connection.execute(_RELEASE, {"response_ids": list(response_ids)})


def release_locks_where(connection: Connection, condition: ColumnElement[bool]) -> None:
    """Release the locks of the conversations that meet a condition."""
    connection.execute(
        update(conversations)
        .where(conversations.c.locked_by.is_not(None), condition)
        .values(locked_by=None, locked_server=None)
    )
