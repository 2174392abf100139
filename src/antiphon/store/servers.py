"""Servers of a database, recovery from stopped ones, and shared secrets."""

from collections.abc import Callable, Collection

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


class ServerRecords:
    """The servers of a database, and this one among them.

    Call `join` first and `leave` last. In between, call `heartbeat` every few seconds: other servers
    recover what a silent server left in progress.
    """

    def __init__(
        self,
        database: Database,
        pending: PendingResponses,
        server_id: str,
        clock: Callable[[], float],
        *,
        is_worker: bool = False,
    ) -> None:
        self._is_alone = not is_worker
        self._is_worker = is_worker
        self._database = database
        self._pending = pending
        self._server_id = server_id
        self._clock = clock

    async def join(self) -> None:
        """Register this server.

        Responses that an earlier server of the same id left in progress fail first.
        """
        await self._database.write(lambda c: _join(c, self._server_id, self._clock()))
        self._is_alone = await self._database.read(lambda c: _is_alone(c, self._server_id))

    def has_company(self) -> bool:
        """Return whether other servers use the database, as far as the last heartbeat has shown."""
        return self._is_worker or not self._is_alone

    async def heartbeat(self) -> None:
        """Record that this server is running."""
        await self._database.write(lambda c: _heartbeat(c, self._server_id, self._clock()))

    async def recover(self, silent_for: float) -> int:
        """Fail what stopped servers left in progress.

        A stopped server has left, or was silent for too long. Its responses and the files that it was
        reading become failed, and its conversation locks are released. The same happens to responses of
        this server whose end could not be stored.

        Args:
            silent_for: Seconds since the last heartbeat after which a server counts as stopped.

        Returns:
            How many responses failed.
        """

        def write(connection: Connection, failed: int) -> int:
            failed += _recover(connection, self._server_id, self._clock(), silent_for)
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


def _join(connection: Connection, server_id: str, now: float) -> None:
    if fail_where(connection, responses.c.server_id == server_id, conversations.c.locked_server == server_id):
        end_lost_streams(connection)
    fail_lost(connection, vector_store_files.c.server_id == server_id)
    _heartbeat(connection, server_id, now)


def _heartbeat(connection: Connection, server_id: str, now: float) -> None:
    seen = update(servers).where(servers.c.id == server_id).values(seen_at=now)
    if connection.execute(seen).rowcount == 0:
        connection.execute(insert(servers), {"id": server_id, "seen_at": now})


def _recover(connection: Connection, server_id: str, now: float, silent_for: float) -> int:
    _heartbeat(connection, server_id, now)
    connection.execute(delete(servers).where(servers.c.seen_at < now - silent_for))
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
