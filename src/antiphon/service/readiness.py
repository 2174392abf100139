"""Readiness of the server: whether the database works, and which backends answer."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from antiphon.engine.ports import ModelCatalogue
from antiphon.errors import AntiphonError
from antiphon.store import Store
from antiphon.wire.errors import ErrorBody
from antiphon.wire.models import Health, Readiness

_FRESH = 1.0
"""Seconds for which a result is used again."""
_PATIENCE = 0.7
"""Seconds until a check counts as failed; probes usually wait one second."""


class ReadinessChecks:
    """Checks of the database and the backends, at most one at a time.

    Args:
        store: The database.
        catalogue: The models.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self, store: Store, catalogue: ModelCatalogue, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: Readiness | None = None
        self._checked_at = 0.0
        self._write: asyncio.Task[Health] | None = None

    async def check(self) -> Readiness:
        """Return the readiness, checked within the last second."""
        async with self._lock:
            if self._found is None or self._clock() - self._checked_at >= _FRESH:
                database, backends = await asyncio.gather(
                    self._database(), self._catalogue.backend_health(_PATIENCE)
                )
                problems = [] if database.status == "OK" else ["the database can't be written"]
                if backends and all(backend.status == "Error" for backend in backends):
                    problems.append("no backend answers")
                self._found = (
                    Readiness(
                        status="Error", database=database, backends=backends, error=_not_ready(problems)
                    )
                    if problems
                    else Readiness(status="OK", database=database, backends=backends)
                )
                self._checked_at = self._clock()
            return self._found

    async def _database(self) -> Health:
        if self._write is None or self._write.done():
            self._write = asyncio.create_task(self._written())
        # A write that waits for a locked database stays queued. Until it ends, there is no other one.
        done, _ = await asyncio.wait([self._write], timeout=_PATIENCE)
        if done:
            return self._write.result()
        return Health("Error", f"The database hasn't executed a write for {_PATIENCE:g} s.")

    async def _written(self) -> Health:
        try:
            await self._store.servers.heartbeat()
        except AntiphonError as error:
            return Health("Error", error.message)
        return Health("OK")


def without_messages(found: Readiness) -> Readiness:
    """Return the readiness without messages, which can contain addresses."""
    backends = [msgspec.structs.replace(backend, message="") for backend in found.backends]
    database = Health(found.database.status)
    return msgspec.structs.replace(found, database=database, backends=backends)


def _not_ready(problems: list[str]) -> ErrorBody:
    message = f"The server isn't ready: {' and '.join(problems)}."
    return ErrorBody(message, type="server_error", param=None, code="not_ready")
