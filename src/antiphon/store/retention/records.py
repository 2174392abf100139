"""Removal of the expired objects of all owners, between other writes."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, text

from antiphon.store.database import Database
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.deletions.slices import pause_after
from antiphon.store.retention.expired import EXPIRIES, START, ExpiringKind, Expiry

_FOUND = 200
"""The most objects to find per transaction."""
_BUDGET = 0.005
"""Seconds after which a transaction removes no further object."""
_LOCK = 0x616E7472
"""The key of PostgreSQL's advisory lock: two servers that remove the same objects could deadlock."""


class _Slice(Struct, frozen=True):
    """The outcome of one transaction."""

    removed: list[str]
    """The IDs of the removed objects."""
    left: list[str]
    """The IDs of the objects that are still to be removed."""


class ExpiryRecords:
    """The objects of all owners that are older than the settings allow.

    Other writes go between the transactions of a removal. A large object is hidden at once and removed later,
    like one that a client deletes.
    """

    def __init__(self, database: Database, deletions: DeletionRecords, clock: Callable[[], float]) -> None:
        self._database = database
        self._deletions = deletions
        self._clock = clock

    async def count(self, kind: ExpiringKind, age: float) -> int:
        """Return the number of objects that `remove` would remove now.

        Args:
            kind: The kind of object.
            age: Seconds after which an object expires.
        """
        before = self._clock() - age
        return await self._database.read(lambda c: EXPIRIES[kind].count(c, before))

    async def remove(self, kind: ExpiringKind, age: float) -> AsyncGenerator[Sequence[str], None]:
        """Remove the expired objects of a kind; yield the IDs of those that were removed.

        Nothing happens while another server removes some.

        Args:
            kind: The kind of object.
            age: Seconds after which an object expires.
        """
        before, expiry, place = self._clock() - age, EXPIRIES[kind], START
        while found := await self._database.read(lambda c, p=place: expiry.find(c, before, p, _FOUND)):  # type: ignore[misc]
            left = [object_id for *_, object_id in found]
            while left:
                began = time.monotonic()
                done = await self._database.write(
                    lambda c, ids=left: _remove_some(c, expiry, ids, before, self._clock())  # type: ignore[misc]
                )
                if done is None:
                    return
                left = done.left
                if done.removed:
                    self._deletions.notify()
                    yield done.removed
                await asyncio.sleep(pause_after(began))
            place = found[-1]


def _remove_some(
    connection: Connection, expiry: Expiry, ids: Sequence[str], before: float, now: float
) -> _Slice | None:
    """Remove the first of these objects; return None if another server removes some."""
    if connection.dialect.name == "postgresql":
        locked = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not connection.execute(locked, {"key": _LOCK}).scalar_one():
            return None
    removed: list[str] = []
    left = deque(ids)
    until = time.monotonic() + _BUDGET
    while left and (not removed or time.monotonic() < until):
        object_id = left.popleft()
        unused = expiry.remove(connection, object_id, before, now)
        if unused is not None:
            removed.append(object_id)
            left.extendleft(unused)
    return _Slice(removed, list(left))
