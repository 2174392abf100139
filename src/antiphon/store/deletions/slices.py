"""Large writes as many small transactions, with pauses for other writes."""

import asyncio
import time
from collections.abc import Callable

from sqlalchemy import Connection

from antiphon.store.database import Database

_LONGEST_PAUSE = 0.5
"""The longest pause between two slices, in seconds."""


async def write_in_slices(database: Database, write_slice: Callable[[Connection], bool]) -> None:
    """Repeat a write until it returns False, which means that nothing is left to write.

    A pause is as long as the write before it. In the pause, servers that share an SQLite file get their turn:
    they poll for its lock.

    Raises:
        AntiphonError: The database failed; other errors of `write_slice` are raised unchanged.
    """
    while True:
        began = time.monotonic()
        if not await database.write(write_slice):
            return
        await asyncio.sleep(pause_after(began))


def pause_after(began: float) -> float:
    """Return the seconds to wait after a write that began at a time of the monotonic clock."""
    return min(time.monotonic() - began, _LONGEST_PAUSE)
