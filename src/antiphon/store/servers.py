"""Which servers are at work, and what becomes of responses and files whose end was not stored."""

from collections.abc import Collection

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from antiphon.store.database import Database
from antiphon.store.tables import conversations, is_running, metadata, responses, servers, vector_store_files
from antiphon.store.vector_stores.vector_store_files import fail_lost
from antiphon.wire.json import JSONObject

_FAIL = (
    update(responses)
    .where(responses.c.id == bindparam("response_id"), is_running)
    .values(status="failed", body=bindparam("new_body"))
)


def join(connection: Connection, server_id: str, now: float) -> None:
    """Enters the server. What an earlier server of the same id left running has failed."""
    _give_up(connection, responses.c.server_id == server_id, conversations.c.locked_server == server_id)
    fail_lost(connection, vector_store_files.c.server_id == server_id)
    heartbeat(connection, server_id, now)


def heartbeat(connection: Connection, server_id: str, now: float) -> None:
    """Notes that the server is at work."""
    seen = update(servers).where(servers.c.id == server_id).values(seen_at=now)
    if connection.execute(seen).rowcount == 0:
        connection.execute(insert(servers), {"id": server_id, "seen_at": now})


def leave(connection: Connection, server_id: str) -> None:
    """Strikes the server out: what it left running is for the others' `recover`."""
    connection.execute(delete(servers).where(servers.c.id == server_id))


def recover(connection: Connection, server_id: str, now: float, silent_for: float) -> int:
    """Ends what servers left running that have not been heard of for `silent_for` seconds.

    Their responses and the files that they were reading become failed, and their conversation locks are
    released. Returns how many responses.
    """
    heartbeat(connection, server_id, now)
    connection.execute(delete(servers).where(servers.c.seen_at < now - silent_for))
    alive = select(servers.c.id)
    fail_lost(connection, vector_store_files.c.server_id.not_in(alive))
    return _give_up(
        connection, responses.c.server_id.not_in(alive), conversations.c.locked_server.not_in(alive)
    )


def give_up(connection: Connection, response_ids: Collection[str]) -> int:
    """Ends responses whose own end could not be stored; returns how many were still running."""
    return _give_up(connection, responses.c.id.in_(response_ids), conversations.c.locked_by.in_(response_ids))


def _give_up(connection: Connection, left: ColumnElement[bool], locked: ColumnElement[bool]) -> int:
    running = select(responses.c.id, responses.c.body).where(is_running, left)
    left_running = connection.execute(running).all()
    for response_id, body in left_running:  # One by one: what `is_running` compares with is in the SQL.
        connection.execute(_FAIL, {"response_id": response_id, "new_body": _failed(body)})
    connection.execute(
        update(conversations)
        .where(conversations.c.locked_by.is_not(None), locked)
        .values(locked_by=None, locked_server=None)
    )
    return len(left_running)


def _failed(body: str) -> str:
    response = msgspec.json.decode(body, type=JSONObject)
    response["status"] = "failed"
    response["completed_at"] = None
    response["error"] = {
        "code": "server_error",
        "message": "The server stopped before the end of the response was stored.",
    }
    return msgspec.json.encode(response).decode()


secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


class SecretRecords:
    """Secrets by name. Whoever can read the database can read them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_or_keep(self, name: str, fresh: str) -> str:
        """Returns the secret, which is `fresh` if there was none; servers that start together agree."""
        found = await self._database.read(lambda c: _find(c, name))
        if found is None:
            found = await self._database.write(lambda c: _find_or_keep(c, name, fresh))
        return found


def _find(connection: Connection, name: str) -> str | None:
    return connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar()


def _find_or_keep(connection: Connection, name: str, fresh: str) -> str:
    if connection.dialect.name == "postgresql":
        # SQLite has one writer at a time; here a second server waits until the first has committed.
        connection.exec_driver_sql("LOCK TABLE secrets IN EXCLUSIVE MODE")
    found = _find(connection, name)
    if found is None:
        connection.execute(insert(secrets), {"name": name, "value": fresh})
    return found or fresh
