"""Streams of responses that are not in the background, which clients can resume."""

from collections.abc import Callable
from functools import partial
from typing import Self

from antiphon.durable.streams import StreamLog
from antiphon.service.responses.run import Run
from antiphon.store.runs.runs import RunRecords

Tell = Callable[[str], None]
"""Wakes the clients that follow a response, by its ID."""


class ResumableStreams:
    """The event logs of streams.

    Args:
        records: The event logs.
        tell: Wakes the clients that follow a stream.
        grace: Seconds that a response goes on without a client.
    """

    def __init__(self, records: RunRecords, tell: Tell, grace: float) -> None:
        self._records = records
        self._tell = tell
        self._grace = grace

    @classmethod
    def open(cls, records: RunRecords, tell: Tell, grace: float | None) -> Self | None:
        """Return the event logs of streams; None without a grace period."""
        return None if grace is None else cls(records, tell, grace)

    def keep(self, run: Run, owner: str) -> StreamLog | None:
        """Return the event log of a response that has not begun; None if it is not stored."""
        if run.start is not None:
            wake = partial(self._tell, run.start.id)
            run.log = StreamLog(self._records, owner, run.start, wake, self._grace)
        return run.log
