"""Migration for retention: the last use of conversations, and the indexes that find old objects."""

import time

from sqlalchemy import Connection, update

from antiphon.store.runs.tables import index_ended_runs
from antiphon.store.tables import (
    add_column,
    conversations,
    index_conversations_by_time,
)


def m021_retention(connection: Connection) -> None:
    """Add the last use of conversations, and indexes.

    The last use of existing conversations is unknown. They count as used now, so that none that is in use is
    deleted.
    """
    add_column(connection, conversations.c.used_at)
    unknown = conversations.c.used_at.is_(None)
    connection.execute(update(conversations).where(unknown).values(used_at=time.time()))
    index_conversations_by_time.create(connection, checkfirst=True)
    index_ended_runs(connection)
