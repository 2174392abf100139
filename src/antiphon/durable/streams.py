"""The event log of a response that is not in the background."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from antiphon.durable.log import encode
from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.store.responses.rows import FinishedResponse, NewResponse
from antiphon.store.runs.rows import NewStream, RunEnd, RunWrite
from antiphon.store.runs.runs import RunRecords
from antiphon.wire.events import Event

log = logging.getLogger(__name__)

_DELAY, _DELAY_ALONE = 0.1, 0.02
"""Seconds that events wait for others to share their write: with the client, and once it has left."""
READER_BEAT = 1.0
"""Seconds between two notes of a client that it follows the stream."""


class StreamLog:
    """The events of one response, which its client receives without waiting for their writes.

    Call `begin` first, when the beginning of the response is queued, and `end` last. A write that fails is
    repeated with later events. If another server ends the log, or the response is deleted, nothing is written
    any more.

    Args:
        records: The event logs.
        owner: The owner of the response.
        response: The response.
        wake: Called after each write, for clients that follow the stream.
        grace: Seconds that the response goes on without a client.
    """

    def __init__(
        self,
        records: RunRecords,
        owner: str,
        response: NewResponse,
        wake: Callable[[], None],
        grace: float,
    ) -> None:
        self._records = records
        self._stream = NewStream(owner, response)
        self._wake = wake
        self._grace = grace
        self._delay = _DELAY
        self._next = 0
        self._pending: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_writing = False
        self._is_closed = False

    @property
    def next_number(self) -> int:
        """The sequence number of the next event."""
        return self._next + len(self._pending)

    def begin(self) -> asyncio.Future[None]:
        """Begin the log; return a future that resolves once every server finds it, or fails as `end` will."""
        return self._records.begin_stream(self._stream)

    def append(self, events: list[Event]) -> None:
        """Add the engine's next events, which are written soon."""
        if not self._is_closed:
            self._pending += map(encode, events)
            self._write_soon()

    def end(self, events: list[Event], finished: FinishedResponse) -> asyncio.Future[None]:
        """Queue the write of the last events together with the end of the response.

        Returns:
            A future that fails with an `AntiphonError`.
        """
        if not self._is_closed:
            self._pending += map(encode, events)
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        end = RunEnd(write=self._take(), owner=self._stream.owner, finished=finished)
        future = self._records.end_stream(end)
        future.add_done_callback(lambda _: self._wake())
        return future

    async def linger(self) -> None:
        """Return when no client has followed the stream for the grace period, or when it has ended."""
        self._delay = _DELAY_ALONE
        now = asyncio.get_running_loop().time
        end = now() + self._grace
        while now() < end:
            await asyncio.sleep(min(READER_BEAT, end - now()))
            try:
                unread_for = await self._records.unread_for(self._stream.response.id)
            except AntiphonError as error:
                log.error("Failed to look for the readers of a response: %s", error.message)
                unread_for = 0.0
            if unread_for is None:
                return
            end = max(end, now() + max(self._grace, 2 * READER_BEAT) - unread_for)

    def _write_soon(self) -> None:
        if self._timer is None and not self._is_writing and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(self._delay, self._write)

    def _write(self) -> None:
        self._timer = None
        write = self._take()
        try:
            future = self._records.write(write)
        except StoreUnavailable:  # The database is closed.
            self._is_closed = True
            return
        self._is_writing = True
        future.add_done_callback(partial(self._written, write))

    def _written(self, write: RunWrite, future: asyncio.Future[None]) -> None:
        self._is_writing = False
        error = future.exception()
        if error is None:
            self._wake()
        elif self._is_closed:
            return  # The write of the end fails, too.
        elif isinstance(error, StoreUnavailable):
            self._pending = write.events + self._pending
            self._next = write.seq
        else:
            self._is_closed, self._pending = True, []
        if self._pending:
            self._write_soon()

    def _take(self) -> RunWrite:
        events, self._pending = self._pending, []
        write = RunWrite(id=self._stream.response.id, epoch=0, seq=self._next, events=events)
        self._next += len(events)
        return write
