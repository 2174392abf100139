"""Idempotency keys: requests at work under a key, and the answers that are kept for a day."""

import asyncio
from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Executable,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    delete,
    or_,
    select,
    text,
    update,
)

from antiphon.store.database import Database
from antiphon.store.tables import metadata, servers

KEPT = 24 * 60 * 60.0
"""Seconds from a request until its key is free again."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", Text, nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
    Column("server_id", Text, nullable=False),
    Column("answer", LargeBinary),  # NULL while the request is at work
    PrimaryKeyConstraint("owner", "key_hash"),
)
"""Keys of callers, as hashes, and what was answered, in a form that this room cannot read."""

_table = idempotency_keys.c
_INSERT = text(
    "INSERT INTO idempotency_keys (owner, key_hash, created_at, server_id) "
    "VALUES (:owner, :key_hash, :created_at, :server_id) ON CONFLICT DO NOTHING"
)
_lost = and_(_table.answer.is_(None), _table.server_id.not_in(select(servers.c.id)))
"""The condition that a request died with its server."""


class Claim(Struct, frozen=True):
    """What became of a claim: the key is the caller's, or there is an `answer`, or another one is at work."""

    granted: bool = False
    answer: bytes | None = None


class IdempotencyRecords:
    """The keys of all owners; two owners may have the same key.

    What a server has at work is known to itself, and in the database to the others. A row of its own that it
    does not know of is of an earlier run, or of a write that failed: it holds nobody up.
    """

    def __init__(self, database: Database, server_id: str, clock: Callable[[], float]) -> None:
        self._database = database
        self._server_id = server_id
        self._clock = clock
        self._at_work: set[tuple[str, str]] = set()

    async def claim(self, owner: str, key_hash: str) -> Claim:
        """Takes a key that is free; it remains taken until `keep` or `release`."""
        key = (owner, key_hash)
        if key in self._at_work:
            return Claim()
        self._at_work.add(key)
        claim = Claim()
        try:
            claim = await self._database.write(lambda c: self._claim(c, owner, key_hash))
        finally:
            if not claim.granted:
                self._at_work.discard(key)
        return claim

    def keep(self, owner: str, key_hash: str, answer: bytes) -> asyncio.Future[None]:
        """Keeps the answer to the request that has the key. The write stands, awaited or not."""
        self._at_work.discard((owner, key_hash))
        kept: Executable = update(idempotency_keys).where(self._ours(owner, key_hash)).values(answer=answer)
        return self._database.enqueue(_execute, kept).future

    def release(self, owner: str, key_hash: str) -> None:
        """Frees the key of a request whose answer is not kept; nobody waits for the write."""
        self._at_work.discard((owner, key_hash))
        released: Executable = delete(idempotency_keys).where(self._ours(owner, key_hash))
        self._database.enqueue(_execute, released).future.cancel()

    async def delete_expired(self) -> None:
        """Deletes what has been kept for a day. Call it now and then."""
        old = _table.created_at < self._clock() - KEPT
        ended = or_(_table.answer.is_not(None), _lost)
        await self._database.write(lambda c: c.execute(delete(idempotency_keys).where(old, ended)))

    def _claim(self, connection: Connection, owner: str, key_hash: str) -> Claim:
        now = self._clock()
        row = {"owner": owner, "key_hash": key_hash, "created_at": now, "server_id": self._server_id}
        if connection.execute(_INSERT, row).rowcount > 0:
            return Claim(granted=True)
        ours = (_table.owner == owner) & (_table.key_hash == key_hash)
        expired = and_(_table.answer.is_not(None), _table.created_at < now - KEPT)
        own_and_forgotten = and_(_table.answer.is_(None), _table.server_id == self._server_id)
        taken_over = update(idempotency_keys).where(ours, or_(expired, own_and_forgotten, _lost))
        if connection.execute(taken_over, row | {"answer": None}).rowcount > 0:
            return Claim(granted=True)
        return Claim(answer=connection.execute(select(_table.answer).where(ours)).scalar())

    def _ours(self, owner: str, key_hash: str) -> ColumnElement[bool]:
        return and_(
            _table.owner == owner,
            _table.key_hash == key_hash,
            _table.server_id == self._server_id,
            _table.answer.is_(None),
        )


def _execute(connection: Connection, statements: list[Executable]) -> None:
    for statement in statements:
        connection.execute(statement)
