"""Streams of responses that are not in the background, which clients can resume."""

from functools import partial
from typing import Self

from antiphon.durable.signals import Signals
from antiphon.durable.streams import StreamLog
from antiphon.service.responses.run import Run
from antiphon.store.runs.runs import RunRecords


class ResumableStreams:
    """The event logs of streams.

    Args:
        records: The event logs.
        signals: Wake-ups of the clients that follow a stream.
        grace: Seconds that a response goes on without a client.
    """

    def __init__(self, records: RunRecords, signals: Signals, grace: float) -> None:
        self._records = records
        self._signals = signals
        self._grace = grace

    @classmethod
    def open(cls, records: RunRecords, signals: Signals, grace: float | None) -> Self | None:
        """Return the event logs of streams; None without a grace period."""
        return None if grace is None else cls(records, signals, grace)

    def keep(self, run: Run, owner: str) -> StreamLog | None:
        """Return the event log of a response that has not begun; None if it is not stored."""
        if run.start is not None:
            wake = partial(self._signals.wake, run.start.id)
            run.log = StreamLog(self._records, owner, run.start, wake, self._grace)
        return run.log
