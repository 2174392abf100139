"""What a server does beside its requests, for as long as it lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NoReturn

from antiphon.errors import AntiphonError
from antiphon.service.services import FileServices
from antiphon.store import Store

log = logging.getLogger("antiphon.server")

_HEARTBEAT = 5.0
"""Seconds between two signs of life of this server in the database."""
_SILENCE = 20.0
"""Seconds of silence after which another server counts as gone."""
_TIDYING = 60.0
"""Seconds between two searches for what has expired."""


async def stay_alive(store: Store) -> NoReturn:
    """Shows that this server is at work, and ends what servers that are not any more left running."""

    async def work() -> None:
        await store.servers.heartbeat()
        recovered = await store.servers.recover(_SILENCE)
        if recovered:
            log.warning("%d responses of a server that is gone are now failed", recovered)

    await again_and_again(work, _HEARTBEAT, "no sign of life can be written to the database")


async def tidy(store: Store, file_services: FileServices) -> NoReturn:
    """Deletes what has expired."""

    async def work() -> None:
        await file_services.delete_expired()
        await store.idempotency.delete_expired()

    await again_and_again(work, _TIDYING, "what has expired cannot be deleted")


async def again_and_again(work: Callable[[], Awaitable[None]], seconds: float, trouble: str) -> NoReturn:
    """Does `work`, waits, and begins again. An error is logged as `trouble` and ends nothing.

    A server whose signs of life stopped would have its responses failed by others while it makes them.
    """
    while True:
        try:
            await work()
        except AntiphonError as error:
            log.error("%s: %s", trouble, error.message)
        except Exception:
            log.exception("%s", trouble)
        await asyncio.sleep(seconds)
