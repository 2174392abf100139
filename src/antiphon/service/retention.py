"""Deletion of objects that are older than the settings allow."""

import logging
from collections.abc import Mapping

from antiphon.service.files.folder import FileFolder
from antiphon.settings.schema import Settings
from antiphon.store import Store
from antiphon.store.retention.expired import EXPIRIES, ExpiringKind

_log = logging.getLogger("antiphon.service")


class Retention:
    """The expiry of the stored objects of all owners.

    Args:
        store: The database.
        folder: The folder of the files.
        ages: Seconds after which an object expires, by kind; objects of other kinds don't expire.
    """

    def __init__(self, store: Store, folder: FileFolder, ages: Mapping[ExpiringKind, float]) -> None:
        self._store = store
        self._folder = folder
        self._ages = ages

    async def count(self) -> dict[ExpiringKind, int]:
        """Return the number of expired objects by kind."""
        return {kind: await self._store.expiry.count(kind, age) for kind, age in self._ages.items()}

    async def apply(self) -> dict[ExpiringKind, int]:
        """Delete the expired objects, and return their number by kind."""
        return {kind: await self._remove(kind, age) for kind, age in self._ages.items()}

    async def _remove(self, kind: ExpiringKind, age: float) -> int:
        count = 0
        async for removed in self._store.expiry.remove(kind, age):
            count += len(removed)
            if kind == "files":
                for file_id in removed:
                    await self._folder.delete(file_id)
        if count:
            _log.info("Deleted %d expired objects: %s", count, kind)
        return count


def ages_of(settings: Settings) -> dict[ExpiringKind, float]:
    """Return the seconds after which objects expire, by kind, in the order in which to delete them."""
    set_to = {
        "responses": settings.retention_responses,
        "chat_completions": settings.retention_responses,
        "conversations": settings.retention_conversations,
        "event_logs": settings.retention_event_logs,
        "batches": settings.retention_batches,
        "files": settings.retention_files,
        "log_entries": settings.retention_log_entries,
    }
    return {kind: age.seconds for kind in EXPIRIES if (age := set_to[kind]) is not None}
