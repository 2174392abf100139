"""The event log of one execution: numbers, group of events per write, fence."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import UNSET, UnsetType

from antiphon.durable.tail import Tail
from antiphon.engine.client.pairs import called_id
from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.store.responses.rows import FinishedResponse
from antiphon.store.runs.rows import ClaimedRun, Fenced, RunEnd, RunWrite
from antiphon.store.runs.runs import RunRecords
from antiphon.wire.events import ErrorEvent, Event, OutputItemAdded, ResponseCreated, Terminal

_DELAY, _DELAY_UNREAD = 0.02, 0.25
"""Seconds that events wait for others to share their write: with a client that follows them, and without."""
_MANY = 256
"""Number of events that are written without a delay."""
FIRST = 2
"""The number of the engine's first event in the log, after `created` and `queued`."""

encode = msgspec.json.Encoder().encode


class RunLog:
    """The events of one execution of a response.

    An execution repeats the events of finished steps; those that the log has already are dropped. Function
    calls are written when their model call has finished, because clients act on them.

    Args:
        records: The background responses.
        run: The claimed run.
        wake: Called after each write, for the readers of the response.
        on_failure: Called when a write in the background has failed; later calls raise its error.
        is_followed: Returns whether a client of this process follows the response.
    """

    def __init__(
        self,
        records: RunRecords,
        run: ClaimedRun,
        wake: Callable[[], None],
        on_failure: Callable[[], None],
        is_followed: Callable[[], bool],
    ) -> None:
        self._records = records
        self._run = run
        self._wake = wake
        self._on_failure = on_failure
        self._is_followed = is_followed
        self._position = FIRST
        self._next = run.next_seq
        self._stored = run.next_seq
        self._pending: list[bytes] = []
        self._held: list[bytes] = []
        self._logged: list[tuple[str, str]] = []
        self._is_in_call = False
        self._opening: tuple[int, int] | None = None
        """The model call that no write has noted yet, and the number of its first event."""
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self.tail = Tail(run.next_seq)
        """The events that this execution has written, for readers of this process."""
        self.error: AntiphonError | Fenced | None = None
        """The error of a write, after which the execution cannot go on."""

    @property
    def next_number(self) -> int:
        """The sequence number of the next new event."""
        return self._next

    async def append(self, events: list[Event]) -> None:
        """Add the engine's next events; after many, wait until they are written.

        Raises:
            Fenced: Another execution has replaced this one.
            AntiphonError: The database failed.
        """
        self._number(events)
        if len(self._pending) >= _MANY:
            await self._write()
        elif self._pending and self._timer is None:
            is_read = self._run.is_streamed or self._is_followed()
            delay = _DELAY if is_read else _DELAY_UNREAD
            self._timer = asyncio.get_running_loop().call_later(delay, self._write_soon)

    def keep_step(self, name: str, text: str) -> None:
        """Store an entry of the step log with the next write."""
        self._logged.append((name, text))

    def skip(self, events: int) -> None:
        """Skip the numbers of events that an interrupted call has left in the log."""
        self._position += events

    def begin_call(self, number: int) -> None:
        """Note that a model call begins after the events so far."""
        # Nothing of a new call is in the log, even if this execution sent less than the earlier one.
        self._position = max(self._position, self._next)
        # The next write notes it: without events, an interrupted call leaves nothing.
        self._opening = (number, self._next)
        self._is_in_call = True

    async def end_call(self, name: str, result: str) -> None:
        """Store the result of the model call that has finished, with all of its events so far."""
        self._is_in_call = False
        self._pending += self._held
        self._held = []
        self._opening = None
        await self._write((name, result), open_call=None)

    async def record(self, name: str, result: str | None) -> None:
        """Store the result of a tool call; None if it begins."""
        await self._write((name, result))

    async def end(self, events: list[Event], finished: FinishedResponse) -> None:
        """Store the last events together with the finished response; nothing interrupts that.

        Raises:
            Fenced: Another execution has replaced this one.
            AntiphonError: The database failed, or an output item cannot be stored.
        """
        self._is_in_call = False
        self._pending += self._held
        self._held = []
        for event in events:
            if isinstance(event, ErrorEvent | Terminal):
                self._position = max(self._position, self._next)
            self._number([event])
        await self._shielded(self._end(finished))

    def _number(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, ResponseCreated):
                continue  # It was sent when the response was queued.
            number, self._position = self._position, self._position + 1
            if number < self._next:
                continue
            event.sequence_number = self._next
            self._next += 1
            self._held_or_pending(event).append(encode(event))

    def _held_or_pending(self, event: Event) -> list[bytes]:
        begins_call = isinstance(event, OutputItemAdded) and called_id(event.item) is not None
        return self._held if self._is_in_call and (self._held or begins_call) else self._pending

    def _write_soon(self) -> None:
        self._timer = None
        task = asyncio.create_task(self._write_in_background())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write_in_background(self) -> None:
        try:
            await self._write()
        except (AntiphonError, Fenced):
            self._on_failure()

    async def _write(
        self,
        step: tuple[str, str | None] | None = None,
        open_call: tuple[int, int] | None | UnsetType = UNSET,
    ) -> None:
        await self._shielded(self._write_now(step, open_call))

    async def _shielded(self, write: Awaitable[None]) -> None:
        """Finish a write even if the execution is cancelled, because the next one follows it."""
        task = asyncio.ensure_future(write)
        task.add_done_callback(_retrieve_error)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _write_now(
        self, step: tuple[str, str | None] | None, open_call: tuple[int, int] | None | UnsetType
    ) -> None:
        async with self._writing:
            events = self._take()
            if events or step is not None or open_call is not UNSET:
                if self._opening is not None and open_call is UNSET:
                    open_call, self._opening = self._opening, None
                write = self._as_write(events, step, open_call)
                try:
                    await self._records.write(write)
                except (AntiphonError, Fenced) as error:
                    self.error = error
                    raise
                self._stored += len(events)
                self.tail.add(events)
        self._wake()

    async def _end(self, finished: FinishedResponse) -> None:
        async with self._writing:
            events = self._take()
            end = RunEnd(write=self._as_write(events), owner=self._run.owner, finished=finished)
            try:
                await self._records.end(end)
            except (Fenced, StoreUnavailable) as error:
                self.error = error
                raise
            except AntiphonError:
                # The response can still fail, with another terminal event.
                self._pending = events[:-1]
                self._next -= 1
                self._position -= 1
                raise
            self._stored += len(events)
            self.tail.add(events, are_last=True)
        self._wake()

    def _take(self) -> list[bytes]:
        if self.error is not None:
            raise self.error
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        events, self._pending = self._pending, []
        return events

    def _as_write(
        self,
        events: list[bytes],
        step: tuple[str, str | None] | None = None,
        open_call: tuple[int, int] | None | UnsetType = UNSET,
    ) -> RunWrite:
        logged, self._logged = self._logged, []
        return RunWrite(
            id=self._run.id,
            epoch=self._run.epoch,
            seq=self._stored,
            events=events,
            step=step,
            open_call=open_call,
            logged=logged,
        )


def _retrieve_error(task: "asyncio.Future[None]") -> None:
    """Keep asyncio from logging an error that `RunLog.error` has as well."""
    if not task.cancelled():
        task.exception()
