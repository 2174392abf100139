"""Servers of a database, recovery from stopped ones, and shared secrets."""

import math
from collections.abc import Callable, Collection

from msgspec import Struct
from sqlalchemy import Column, Connection, Table, Text, delete, insert, select, update

from antiphon.store.batches.queue import waiting as batch_waiting
from antiphon.store.database import Database
from antiphon.store.responses.pending import PendingResponses
from antiphon.store.responses.unfinished import fail_where
from antiphon.store.runs.queue import ACTIVE
from antiphon.store.runs.queue import waiting as run_waiting
from antiphon.store.runs.streams import end_lost_streams
from antiphon.store.tables import DURABLE, conversations, metadata, responses, servers, vector_store_files
from antiphon.store.vector_stores.vector_store_files import fail_lost
from antiphon.store.webhooks.queue import waiting as delivery_waiting

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Secrets that the servers of this database share, as plain text."""


def m006_secrets(connection: Connection) -> None:
    """Add the table of the server's own secrets."""
    metadata.create_all(connection, [secrets])


class Member(Struct, frozen=True, kw_only=True):
    """A server among those of a database."""

    id: str
    """An ID that no other server has."""
    has_ended: Callable[[str], bool] = lambda _: False
    """Returns whether the server of an ID has certainly ended, although it hasn't been silent for long."""
    is_worker: bool = False
    """Whether this server is one of several, also while the others are starting."""


class ServerRecords:
    """The servers of a database, and this one among them.

    Call `join` first and `leave` last. In between, call `heartbeat` every few seconds: other servers
    recover what a silent server left in progress.
    """

    def __init__(
        self,
        database: Database,
        pending: PendingResponses,
        member: Member,
        clock: Callable[[], float],
    ) -> None:
        self._has_ended = member.has_ended
        self._is_alone = not member.is_worker
        self._is_worker = member.is_worker
        self._database = database
        self._pending = pending
        self._server_id = member.id
        self._clock = clock

    async def join(self) -> None:
        """Register this server.

        The responses of servers that have certainly ended fail first.
        """
        await self.recover(math.inf)
        self._is_alone = await self._database.read(lambda c: _is_alone(c, self._server_id))

    def has_company(self) -> bool:
        """Return whether other servers use the database, as far as the last heartbeat has shown."""
        return self._is_worker or not self._is_alone

    async def heartbeat(self) -> None:
        """Record that this server is running."""
        await self._database.write(lambda c: _heartbeat(c, self._server_id, self._clock()))

    async def recover(self, silent_for: float) -> int:
        """Fail what stopped servers left in progress.

        A stopped server has left, has certainly ended, or was silent for too long. Its responses and the
        files that it was reading become failed, and its conversation locks are released. The same happens to
        responses of this server whose end could not be stored.

        Args:
            silent_for: Seconds since the last heartbeat after which a server counts as stopped.

        Returns:
            How many responses failed.
        """

        def write(connection: Connection, failed: int) -> int:
            now = self._clock()
            _heartbeat(connection, self._server_id, now)
            _remove_stopped(connection, now - silent_for, self._has_ended)
            failed += _recover(connection)
            if failed:
                end_lost_streams(connection)
            return failed

        recovered = await self._pending.write_after_cleanup(write)
        self._is_alone = await self._database.read(lambda c: _is_alone(c, self._server_id))
        return recovered

    async def waiting(
        self, runs: Collection[str], batches: Collection[str], deliveries: Collection[str]
    ) -> tuple[bool, bool, bool]:
        """Return which kinds of work wait, or were left by a stopped server, in one query.

        Args:
            runs: The background responses that this server executes.
            batches: The batches that it executes.
            deliveries: The webhook events that it delivers.
        """
        found = select(
            run_waiting(self._server_id),
            batch_waiting(self._server_id, batches),
            delivery_waiting(self._server_id, deliveries, self._clock()),
        )
        active = {ACTIVE: list(runs)}
        row = await self._database.read(lambda c: c.execute(found, active).one())
        in_runs, in_batches, in_deliveries = row
        return in_runs, in_batches, in_deliveries

    async def leave(self) -> None:
        """Deregister this server.

        The next `recover` of another server fails what this server left in progress.
        """
        await self._database.write(
            lambda c: c.execute(delete(servers).where(servers.c.id == self._server_id))
        )


class SecretRecords:
    """Secrets by name. Anyone who can read the database can read them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_or_keep(self, name: str, fresh: str) -> str:
        """Return the secret of this name, which becomes `fresh` if there is none.

        Servers that call this at the same time get the same secret.
        """
        found = await self._database.read(lambda c: _find(c, name))
        if found is None:
            found = await self._database.write(lambda c: _find_or_keep(c, name, fresh))
        return found


def _heartbeat(connection: Connection, server_id: str, now: float) -> None:
    seen = update(servers).where(servers.c.id == server_id).values(seen_at=now)
    if connection.execute(seen).rowcount == 0:
        connection.execute(insert(servers), {"id": server_id, "seen_at": now})


def _remove_stopped(connection: Connection, before: float, has_ended: Callable[[str], bool]) -> None:
    known = connection.execute(select(servers.c.id, servers.c.seen_at)).all()
    stopped = [server_id for server_id, seen_at in known if seen_at < before or has_ended(server_id)]
    if stopped:
        connection.execute(delete(servers).where(servers.c.id.in_(stopped)))


def _recover(connection: Connection) -> int:
    alive = select(servers.c.id)
    fail_lost(connection, vector_store_files.c.server_id.not_in(alive))
    # Another server goes on with background responses.
    return fail_where(
        connection,
        responses.c.server_id.not_in(alive) & (responses.c.server_id != DURABLE),
        conversations.c.locked_server.not_in(alive) & (conversations.c.locked_server != DURABLE),
    )


def _is_alone(connection: Connection, server_id: str) -> bool:
    return connection.execute(select(servers.c.id).where(servers.c.id != server_id)).first() is None


def _find(connection: Connection, name: str) -> str | None:
    return connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar()


def _find_or_keep(connection: Connection, name: str, fresh: str) -> str:
    if connection.dialect.name == "postgresql":
        # SQLite has one writer at a time. On PostgreSQL, a second server waits until the first has committed.
        connection.exec_driver_sql("LOCK TABLE secrets IN EXCLUSIVE MODE")
    found = _find(connection, name)
    if found is None:
        connection.execute(insert(secrets), {"name": name, "value": fresh})
    return found or fresh
