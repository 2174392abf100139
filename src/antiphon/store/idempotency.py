"""Idempotency keys, with their requests in progress and their stored responses."""

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
    tuple_,
    update,
)

from antiphon.store.database import Database
from antiphon.store.deletions.slices import write_in_slices
from antiphon.store.tables import metadata, servers

KEPT = 24 * 60 * 60.0
"""Seconds after a request until its key is free again."""
_SLICE = 200
"""The most responses to delete in a transaction."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", Text, nullable=False),
    Column("key_hash", Text, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
    Column("server_id", Text, nullable=False),
    Column("answer", LargeBinary),  # NULL while the request is in progress
    PrimaryKeyConstraint("owner", "key_hash"),
)
"""The clients' keys, as hashes, and the responses, encrypted with the keys."""


def m007_idempotency(connection: Connection) -> None:
    """Add the table of idempotency keys."""
    metadata.create_all(connection, [idempotency_keys])


_table = idempotency_keys.c
_INSERT = text(
    "INSERT INTO idempotency_keys (owner, key_hash, created_at, server_id) "
    "VALUES (:owner, :key_hash, :created_at, :server_id) ON CONFLICT DO NOTHING"
)
_lost = and_(_table.answer.is_(None), _table.server_id.not_in(select(servers.c.id)))
"""The condition that a request's server stopped before the response."""


class Claim(Struct, frozen=True):
    """The outcome of a claim; neither field is set if the request is in progress."""

    granted: bool = False
    """Whether the key belongs to the new request."""
    answer: bytes | None = None
    """The stored response of an earlier request with the key."""


class IdempotencyRecords:
    """The keys of all owners; each owner has separate keys.

    This object tracks the requests in progress at its own server; the database shows those of other servers.
    If a row of this server has no tracked request, it is from an earlier run or a failed write, and is
    ignored.
    """

    def __init__(self, database: Database, server_id: str, clock: Callable[[], float]) -> None:
        self._database = database
        self._server_id = server_id
        self._clock = clock
        self._at_work: set[tuple[str, str]] = set()

    async def claim(self, owner: str, key_hash: str) -> Claim:
        """Claim a key until `keep` or `release`, if it is free."""
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
        """Store the response of the key's request. The write happens, awaited or not."""
        self._at_work.discard((owner, key_hash))
        kept: Executable = update(idempotency_keys).where(self._ours(owner, key_hash)).values(answer=answer)
        return self._database.enqueue(_execute, kept).future

    def release(self, owner: str, key_hash: str) -> None:
        """Free the key of a request without a stored response; don't wait for the write."""
        self._at_work.discard((owner, key_hash))
        released: Executable = delete(idempotency_keys).where(self._ours(owner, key_hash))
        self._database.enqueue(_execute, released).future.cancel()

    async def delete_expired(self) -> None:
        """Delete the responses that are a day old, a slice per transaction. Call this regularly."""
        old = _table.created_at < self._clock() - KEPT
        ended = or_(_table.answer.is_not(None), _lost)
        some = select(_table.owner, _table.key_hash).where(old, ended).limit(_SLICE)
        gone = delete(idempotency_keys).where(tuple_(_table.owner, _table.key_hash).in_(some), old, ended)
        await write_in_slices(self._database, lambda c: c.execute(gone).rowcount == _SLICE)

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
