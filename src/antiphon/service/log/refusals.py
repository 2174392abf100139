"""Refused requests in the log: those that fail before they have a response."""

import time

from antiphon.errors import AntiphonError, ModelNotFound
from antiphon.service.steps import encode, logged_error
from antiphon.settings.schema import LogContent
from antiphon.store.log.records import LogRecords
from antiphon.store.log.rows import NewLogEntry
from antiphon.wire.log import StoredSummary

_PER_MINUTE = 600
"""The most lines per minute; further refusals are in the request log only."""
_MINUTE = 60.0
_MOST_NAME = 200


class Refusals:
    """Writes a line for each refused request.

    Lines have no body of a request, so that no secret of it can be in them. Their number is bounded, because
    anyone who reaches the server can send requests that it refuses.

    Args:
        records: The log.
        content: The setting of the log.
    """

    def __init__(self, records: LogRecords, content: LogContent) -> None:
        self._records = records
        self._content = content
        self._minute = 0.0
        self._count = 0

    def note(self, request_id: str, owner: str, key: str | None, error: AntiphonError) -> None:
        """Queue the line of a request; nothing waits for it.

        Args:
            request_id: The ID of the request.
            owner: The owner of the key; empty for an unknown client.
            key: The name of the key.
            error: The reason of the refusal.
        """
        if self._content == "off" or not self._has_room():
            return
        logged = logged_error(error, keeps_content=self._content == "full")
        entry = NewLogEntry(
            id=request_id,
            kind="refused",
            owner=owner,
            key_name=key,
            created_at=time.time(),
            status="refused",
            model=error.model[:_MOST_NAME] if isinstance(error, ModelNotFound) else "",
            summary=encode(StoredSummary(error=logged)).decode().replace("\\u0000", ""),
        )
        self._records.add_soon(entry)

    def _has_room(self) -> bool:
        now = time.monotonic()
        if now - self._minute >= _MINUTE:
            self._minute, self._count = now, 0
        self._count += 1
        return self._count <= _PER_MINUTE
