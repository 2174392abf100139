"""Periodic work of a server beside its requests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from antiphon.errors import AntiphonError
from antiphon.service.retention import Retention
from antiphon.service.services import FileServices, Services
from antiphon.store import Store

log = logging.getLogger("antiphon.server")

_HEARTBEAT = 5.0
"""Seconds between two heartbeats of this server in the database."""
_SHORT = 0.5
"""Seconds between two looks for background responses of other processes on SQLite."""
_SILENCE = 20.0
"""Seconds without a heartbeat after which another server counts as stopped."""
_TIDYING = 60.0
"""Seconds between two deletions of expired objects."""
_INDEXING = 5.0
"""Seconds between two additions to the full-text index; a search adds what is missing."""
_REST = 0.1
"""Seconds between two looks at the queue of deletions while clients delete objects."""


async def stay_alive(store: Store) -> NoReturn:
    """Send heartbeats, and end the responses that stopped servers left in progress."""

    async def work() -> None:
        await store.servers.heartbeat()
        recovered = await store.servers.recover(_SILENCE)
        if recovered:
            log.warning("Marked %d responses of a stopped server as failed", recovered)

    await repeat_forever(work, _HEARTBEAT, "Failed to write a heartbeat to the database")


async def go_on(services: Services) -> NoReturn:
    """Run background responses and batches that wait, and those that stopped servers have left."""
    store = services.store

    def pause() -> float:
        # Without notices of other processes, which may submit more than they can run.
        return _SHORT if store.servers.has_company() and not store.notices.is_listening else _HEARTBEAT

    await repeat_forever(services.go_on, pause, "Failed to look for background work")


async def tidy(store: Store, file_services: FileServices) -> NoReturn:
    """Delete expired files, vector stores and idempotency keys."""

    async def work() -> None:
        await file_services.delete_expired()
        await store.idempotency.delete_expired()
        await store.usage.delete_old()
        await store.log.delete_excess()

    await repeat_forever(work, _TIDYING, "Failed to delete expired objects")


async def expire(retention: Retention) -> NoReturn:
    """Delete the objects that are older than the settings allow."""

    async def work() -> None:
        await retention.apply()

    await repeat_forever(work, _TIDYING, "Failed to delete objects that are older than the settings allow")


async def index_texts(store: Store) -> NoReturn:
    """Index the texts of the responses that have ended, for the full-text search."""
    await repeat_forever(store.log.index_a_few, _INDEXING, "Failed to index the texts of responses")


async def build_indexes(store: Store, least: int) -> NoReturn:
    """Build the indexes of vector stores with at least `least` chunks."""

    async def work() -> None:
        await store.chunks.build_indexes(least)

    await repeat_forever(work, _TIDYING, "Failed to build an index of vectors")


async def remove_deleted(store: Store) -> NoReturn:
    """Remove the rows of deleted objects, and what a stopped server left of them."""

    async def work() -> None:
        await store.deletions.wait(_TIDYING)
        await store.deletions.remove_all()

    await repeat_forever(work, _REST, "Failed to remove deleted objects from the database")


async def repeat_forever(
    work: Callable[[], Awaitable[None]], pause: float | Callable[[], float], failure: str
) -> NoReturn:
    """Repeat `work` with pauses of some seconds; log an error as `failure` and go on.

    If heartbeats ended with the first error, other servers would fail the responses that this one makes.
    """
    while True:
        try:
            await work()
        except AntiphonError as error:
            log.error("%s: %s", failure, error.message)
        except Exception:
            log.exception("%s", failure)
        await asyncio.sleep(pause() if callable(pause) else pause)
