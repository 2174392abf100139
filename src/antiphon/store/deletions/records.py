"""Removal of deleted objects from the database, between other writes."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from msgspec import Struct
from sqlalchemy import Connection, delete, select, tuple_

from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.store.database import Database
from antiphon.store.deletions.queue import Kind, Progress, deletions

Step = Callable[[Connection, str], Progress]
"""Removes some rows of an object by ID; it also works for objects that no longer exist."""

_log = logging.getLogger(__name__)

_FIRST = ("", "")
_LONGEST_REST = 0.5
"""The longest pause between two slices, in seconds."""


class _Slice(Struct, frozen=True):
    """The outcome of one transaction of a deletion."""

    entry: tuple[str, str]
    """Kind and ID of the object."""
    progress: Progress
    """The state afterwards."""


class DeletionRecords:
    """The deleted objects of all owners whose rows are still to be removed.

    Args:
        database: The database.
        steps: The function that removes a slice, by kind of object.
    """

    def __init__(self, database: Database, steps: Mapping[Kind, Step]) -> None:
        self._database = database
        self._steps: Mapping[str, Step] = dict(steps.items())
        self._wanted = asyncio.Event()
        self._wanted.set()  # An earlier server may have left something.

    def notify(self) -> None:
        """End the current `wait`: objects may have been queued."""
        self._wanted.set()

    async def wait(self, seconds: float) -> None:
        """Wait until `notify` has been called, but not longer than `seconds`."""
        try:
            await asyncio.wait_for(self._wanted.wait(), seconds)
        except TimeoutError:
            return

    async def remove_all(self) -> None:
        """Remove all queued objects, one slice per transaction.

        Objects that responses in progress still need remain in the queue.

        Raises:
            StoreUnavailable: The database failed; the next call continues.
        """
        self._wanted.clear()
        last = _FIRST
        while True:
            began = time.monotonic()
            done = await self._remove_slice(last)
            if done is None:
                return
            if done.progress is Progress.MORE:
                # Servers that share an SQLite file get their turn in the pause: they poll for the lock.
                await asyncio.sleep(min(time.monotonic() - began, _LONGEST_REST))
            else:
                last = done.entry

    async def _remove_slice(self, after: tuple[str, str]) -> _Slice | None:
        entry = await self._database.read(lambda c: _next(c, after))
        if entry is None:
            return None
        try:
            return _Slice(entry, await self._database.write(lambda c: self._remove(c, entry)))
        except StoreUnavailable:
            raise
        except AntiphonError as error:
            _log.error("Failed to remove deleted %s %s: %s", *entry, error.message)
            return _Slice(entry, Progress.BLOCKED)

    def _remove(self, connection: Connection, entry: tuple[str, str]) -> Progress:
        kind, object_id = entry
        own = (deletions.c.kind == kind) & (deletions.c.id == object_id)
        # Servers of one PostgreSQL share the queue; one of them removes an object at a time.
        free = select(deletions.c.id).where(own).with_for_update(skip_locked=True)
        if connection.execute(free).first() is None:
            return Progress.BLOCKED
        progress = self._steps[kind](connection, object_id)
        if progress is Progress.DONE:
            connection.execute(delete(deletions).where(own))
        return progress


def _next(connection: Connection, after: tuple[str, str]) -> tuple[str, str] | None:
    key = tuple_(deletions.c.kind, deletions.c.id)
    following = select(deletions.c.kind, deletions.c.id).where(key > after).order_by(*deletions.c).limit(1)
    row = connection.execute(following).first()
    return None if row is None else (row.kind, row.id)
