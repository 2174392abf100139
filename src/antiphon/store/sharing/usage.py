"""Usage of API keys with limits, for servers that share a database.

The numbers are those of token buckets: used units, which decrease evenly as buckets refill.
"""

from collections.abc import Callable
from functools import partial

from msgspec import Struct
from sqlalchemy import (
    Column,
    Connection,
    Double,
    Integer,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)

from antiphon.store.database import Database
from antiphon.store.tables import metadata, servers

_MINUTE = 60.0
_OLD = 24 * 60 * 60.0
"""Seconds after the last use of a key until its numbers are deleted."""
_RANK = 6
"""Rank of the writes, which no other write has: so a group has them in one call."""

key_usage = Table(
    "key_usage",
    metadata,
    Column("key_hash", Text, primary_key=True),  # Empty for clients without a key
    Column("requests", Double, nullable=False),  # Used requests
    Column("tokens", Double, nullable=False),  # Used tokens
    Column("seen_at", Double, nullable=False),  # The time of these numbers, in Unix time
)
"""The used requests and tokens of keys with limits."""

key_streams = Table(
    "key_streams",
    metadata,
    Column("key_hash", Text, nullable=False),
    Column("server_id", Text, nullable=False),
    Column("streams", Integer, nullable=False),
    PrimaryKeyConstraint("key_hash", "server_id"),
)
"""The open streams of keys with limits at each server."""


def m019_usage(connection: Connection) -> None:
    """Add the tables of the usage of keys."""
    metadata.create_all(connection, [key_usage, key_streams])


class Charge(Struct, kw_only=True):
    """A change of the usage of a key; `Usage.charge` sets the last three fields."""

    key_hash: str
    """The hash of the key."""
    requests_per_minute: int | None
    """The limit of requests."""
    tokens_per_minute: int | None
    """The limit of tokens."""
    begins: bool = False
    """Whether a request begins, which needs a unit of both limits."""
    tokens: int = 0
    """Tokens that were used."""
    streams: int | None = None
    """The open streams of the key at this server from now on."""
    most_streams: int | None = None
    """The open streams at all servers from which on `streams` is not noted."""
    is_granted: bool = False
    """Whether the request or the stream may begin."""
    requests_used: float = 0.0
    """Used requests afterwards."""
    tokens_used: float = 0.0
    """Used tokens afterwards."""
    streams_elsewhere: int = 0
    """Open streams at other servers."""


class UsageRecords:
    """The usage of the keys of all servers.

    Args:
        database: The database.
        server_id: This server.
        clock: Returns the time in seconds since 1970.
        has_company: Returns whether other servers use the database.
    """

    def __init__(
        self,
        database: Database,
        server_id: str,
        clock: Callable[[], float],
        has_company: Callable[[], bool],
    ) -> None:
        self._database = database
        self._server_id = server_id
        self._clock = clock
        self._has_company = has_company
        self._apply = partial(_apply, server_id=server_id, clock=clock)

    @property
    def is_shared(self) -> bool:
        """Whether other servers use the database, so that keys are counted there."""
        return self._has_company()

    async def charge(self, charge: Charge) -> None:
        """Change the usage of a key, and set the outcome in `charge`."""
        await self._database.enqueue(self._apply, charge, rank=_RANK).future

    def note(self, charge: Charge) -> None:
        """Change the usage of a key without waiting."""
        self._database.enqueue(self._apply, charge, rank=_RANK, patient=True).future.cancel()

    async def delete_old(self) -> None:
        """Delete the numbers of keys that are no longer used, and of stopped servers."""
        await self._database.write(lambda c: _delete_old(c, self._clock() - _OLD))


_INSERT = text(
    "INSERT INTO key_usage (key_hash, requests, tokens, seen_at) VALUES (:key_hash, 0, 0, :seen_at) "
    "ON CONFLICT DO NOTHING"
)
_SET_STREAMS = text(
    "INSERT INTO key_streams (key_hash, server_id, streams) VALUES (:key_hash, :server_id, :streams) "
    "ON CONFLICT (key_hash, server_id) DO UPDATE SET streams = excluded.streams"
)
_SET_USAGE = (
    update(key_usage)
    .where(key_usage.c.key_hash == bindparam("the_key"))
    .values(requests=bindparam("used"), tokens=bindparam("spent"), seen_at=bindparam("now"))
)


def _apply(
    connection: Connection, batch: list[Charge], *, server_id: str, clock: Callable[[], float]
) -> None:
    rows = _lock(connection, {charge.key_hash for charge in batch}, clock())
    elsewhere = _streams_elsewhere(
        connection, {charge.key_hash for charge in batch if charge.most_streams is not None}, server_id
    )
    streams: dict[str, int] = {}
    for charge in batch:
        requests, tokens, seen_at = rows[charge.key_hash]
        # Clocks of several machines differ. Time that one of them has counted counts for none again.
        now = max(seen_at, clock())
        requests = _refilled(requests, charge.requests_per_minute, now - seen_at)
        tokens = _refilled(tokens, charge.tokens_per_minute, now - seen_at)
        if charge.begins:
            charge.is_granted = _has_one(requests, charge.requests_per_minute) and _has_one(
                tokens, charge.tokens_per_minute
            )
            requests += charge.is_granted
        tokens += charge.tokens
        if charge.streams is not None:
            charge.streams_elsewhere = elsewhere.get(charge.key_hash, 0)
            total = charge.streams + charge.streams_elsewhere
            charge.is_granted = charge.most_streams is None or total <= charge.most_streams
            if charge.is_granted:
                streams[charge.key_hash] = charge.streams
        charge.requests_used, charge.tokens_used = requests, tokens
        rows[charge.key_hash] = requests, tokens, now
    changed = [
        {"the_key": key, "used": requests, "spent": tokens, "now": now}
        for key, (requests, tokens, now) in rows.items()
    ]
    connection.execute(_SET_USAGE, changed)
    if streams:
        mine = [{"key_hash": key, "server_id": server_id, "streams": n} for key, n in streams.items()]
        connection.execute(_SET_STREAMS, mine)


def _lock(connection: Connection, keys: set[str], now: float) -> dict[str, tuple[float, float, float]]:
    """Return the numbers of keys, whose rows stay locked until the end of the transaction.

    All servers lock them in the same order, so that none waits for another that waits for it.
    """
    found = (
        select(key_usage)
        .where(key_usage.c.key_hash.in_(keys))
        .order_by(key_usage.c.key_hash)
        .with_for_update()
    )
    rows: list[Row[tuple[str, float, float, float]]] = [*connection.execute(found)]
    if len(rows) < len(keys):
        fresh = sorted(keys.difference(row.key_hash for row in rows))
        connection.execute(_INSERT, [{"key_hash": key, "seen_at": now} for key in fresh])
        rows = [*connection.execute(found)]
    return {row.key_hash: (row.requests, row.tokens, row.seen_at) for row in rows}


def _streams_elsewhere(connection: Connection, keys: set[str], server_id: str) -> dict[str, int]:
    if not keys:
        return {}
    alive = select(servers.c.id).where(servers.c.id != server_id)
    counted = (
        select(key_streams.c.key_hash, func.sum(key_streams.c.streams))
        .where(key_streams.c.key_hash.in_(keys), key_streams.c.server_id.in_(alive))
        .group_by(key_streams.c.key_hash)
    )
    return {key: int(streams) for key, streams in connection.execute(counted)}


def _refilled(used: float, limit: int | None, seconds: float) -> float:
    return 0.0 if limit is None else max(0.0, used - seconds * limit / _MINUTE)


def _has_one(used: float, limit: int | None) -> bool:
    return limit is None or limit - used >= 1


def _delete_old(connection: Connection, before: float) -> None:
    connection.execute(delete(key_usage).where(key_usage.c.seen_at < before))
    stopped = key_streams.c.server_id.not_in(select(servers.c.id))
    connection.execute(delete(key_streams).where(stopped))
