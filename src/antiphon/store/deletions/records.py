"""Removal of deleted objects from the database, between other writes."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from sqlalchemy import Connection, delete, select, tuple_

from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.store.database import Database
from antiphon.store.deletions.queue import Kind, Progress, Step, deletions
from antiphon.store.deletions.slices import write_in_slices

_log = logging.getLogger(__name__)

_FIRST = ("", "")


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
        # Not `wait_for`: with Python 3.11, it can lose the cancellation by a stopping server.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wanted.wait()

    async def remove_all(self) -> None:
        """Remove all queued objects, one slice per transaction.

        Objects that responses in progress still need remain in the queue.

        Raises:
            StoreUnavailable: The database failed; the next call continues.
        """
        self._wanted.clear()
        last = _FIRST
        while (entry := await self._database.read(lambda c, after=last: _next(c, after))) is not None:  # type: ignore[misc]
            await self._remove(entry)
            last = entry

    async def _remove(self, entry: tuple[str, str]) -> None:
        try:
            await write_in_slices(self._database, lambda c: self._remove_slice(c, entry))
        except StoreUnavailable:
            raise
        except AntiphonError as error:
            _log.error("Failed to remove deleted %s %s: %s", *entry, error.message)

    def _remove_slice(self, connection: Connection, entry: tuple[str, str]) -> bool:
        """Remove a slice of an object, and return whether the next slice may follow."""
        kind, object_id = entry
        own = (deletions.c.kind == kind) & (deletions.c.id == object_id)
        # Servers of one PostgreSQL share the queue; one of them removes an object at a time.
        free = select(deletions.c.id).where(own).with_for_update(skip_locked=True)
        if connection.execute(free).first() is None:
            return False
        progress = self._steps[kind](connection, object_id)
        if progress is Progress.DONE:
            connection.execute(delete(deletions).where(own))
        return progress is Progress.MORE


def _next(connection: Connection, after: tuple[str, str]) -> tuple[str, str] | None:
    key = tuple_(deletions.c.kind, deletions.c.id)
    following = select(deletions.c.kind, deletions.c.id).where(key > after).order_by(*deletions.c).limit(1)
    row = connection.execute(following).first()
    return None if row is None else (row.kind, row.id)
