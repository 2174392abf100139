"""Background responses and resumable streams of all owners."""

import asyncio
from collections.abc import Callable, Collection

from sqlalchemy import Connection, select

from antiphon.store.database import Database
from antiphon.store.responses.pending import PendingResponses, retrieve_error
from antiphon.store.responses.rows import FinishedResponse
from antiphon.store.runs.log import (
    begin_reading,
    drop,
    end_runs,
    events_after,
    progress,
    rewind,
    write_runs,
)
from antiphon.store.runs.overview import RunLine, first_events, open_runs
from antiphon.store.runs.queue import ACTIVE, cancel, claim, counts, held, submit, waiting
from antiphon.store.runs.rows import ClaimedRun, EventPage, NewRun, NewStream, RunEnd, RunLimits, RunWrite
from antiphon.store.runs.streams import begin_streams, end_streams, last_reader, note_reader
from antiphon.store.webhooks.webhooks import WebhookRecords

_BEGIN, _WRITE, _END = 3, 4, 5
"""Ranks of the frequent writes."""


class RunRecords:
    """The background responses of all owners, and the streams that clients can resume.

    A run is queued, then running, then ended. `claim` begins an execution with an epoch of its own; writes
    of earlier executions raise `Fenced` from then on. A stream begins with `begin_stream`, and ends with
    `end_stream`.
    """

    def __init__(
        self,
        database: Database,
        pending: PendingResponses,
        webhooks: WebhookRecords,
        server_id: str,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._pending = pending
        self._server_id = server_id
        self._webhooks = webhooks
        self._clock = clock

    async def submit(self, owner: str, new: NewRun, limits: RunLimits | None = None) -> ClaimedRun | None:
        """Store a response with its input, and queue it, or claim it for this server if nothing waits.

        Args:
            owner: The owner of the response.
            new: The response.
            limits: The limits for a claim; None if this server has no free place.

        Returns:
            The claimed run; None if it is queued.

        Raises:
            DuplicateItem: The id of a new item is taken by an item with another body.
            ItemNotFound: An id is neither new nor stored.
        """
        claimant = None if limits is None else self._server_id
        return await self._database.write(lambda c: submit(c, owner, new, claimant, limits or RunLimits()))

    async def is_waiting(self, active: Collection[str]) -> bool:
        """Return whether a run is queued or was left by its server; `active` are the runs of this one."""
        found = select(waiting(self._server_id))
        return await self._database.read(lambda c: c.execute(found, {ACTIVE: list(active)}).scalar_one())

    async def counts(self) -> tuple[int, int]:
        """Return the number of runs that wait, and of those that run, on all servers."""
        return await self._database.read(counts)

    async def claim(self, active: Collection[str], limits: RunLimits) -> ClaimedRun | None:
        """Begin an execution of the next run; None if no run waits or can begin within the limits."""
        return await self._database.write(lambda c: claim(c, self._server_id, active, limits))

    def write(self, write: RunWrite) -> asyncio.Future[None]:
        """Queue the write of events and steps of an execution.

        Returns:
            A future that fails with `Fenced` if another execution has replaced this one, or the response was
            deleted.
        """
        return self._database.enqueue(write_runs, write, rank=_WRITE, patient=True).future

    async def end(self, end: RunEnd) -> None:
        """Store the end of a run and of its response, with all effects of its end.

        Raises:
            Fenced: Another execution has replaced this one, or the response was deleted.
            DuplicateItem: The ID of an output item is taken by an item with another body.
        """
        await self._database.enqueue(self._end, end, rank=_END).future
        self._webhooks.notify()

    def _end(self, connection: Connection, batch: list[RunEnd]) -> None:
        end_runs(connection, batch)
        for end in batch:
            response = end.finished
            self._webhooks.queue(connection, end.owner, f"response.{response.status}", response.id)

    async def drop(self, run: ClaimedRun) -> None:
        """Remove a run whose response was deleted."""
        await self._database.write(lambda c: drop(c, run.id, run.epoch))

    async def rewind(self, run: ClaimedRun) -> bool:
        """Remove the events of the unfinished model call, unless a client may have received them."""
        return await self._database.write(lambda c: rewind(c, run.id, run.epoch))

    async def cancel(
        self, owner: str, response_id: str, finished: FinishedResponse, event: bytes
    ) -> str | None:
        """Cancel a response: at once if it is queued; otherwise, the server that runs it will end it.

        Args:
            owner: The owner of the response.
            response_id: The ID of the response.
            finished: The cancelled response, for one that is queued.
            event: The JSON text of the terminal event, for one that is queued.

        Returns:
            The state of the run before; None if the owner has no such background response.
        """

        def run(connection: Connection) -> str | None:
            state = cancel(connection, owner, response_id, finished, event)
            if state == "queued":
                self._webhooks.queue(connection, owner, "response.cancelled", response_id)
            return state

        state = await self._database.write(run)
        self._webhooks.notify()
        return state

    async def held(self, active: Collection[str]) -> dict[str, bool]:
        """Return the runs that this server still executes, each with whether it is to be cancelled.

        A run whose response was deleted, or that another server has taken over, is missing.
        """
        return await self._database.read(lambda c: held(c, self._server_id, active))

    def begin_stream(self, stream: NewStream) -> asyncio.Future[None]:
        """Queue the write that begins the log of a pending response, whose beginning is queued already.

        Returns:
            A future that fails with the error of the beginning.
        """
        begun = self._pending.begun(stream.response.id)
        log = self._database.enqueue(begin_streams, stream, rank=_BEGIN, patient=True, after=begun)
        log.future.add_done_callback(retrieve_error)  # The writes of events fail, too.
        return log.future

    def end_stream(self, end: RunEnd) -> asyncio.Future[None]:
        """Queue the write of the last events of a stream, and of the end of its pending response.

        Returns:
            A future that fails with the error of the beginning, with `DuplicateItem`, or with `InternalError`
            if an earlier write of events has failed.
        """
        return self._pending.end(end.finished.id, end_streams, end, rank=_END)

    async def note_reader(self, response_id: str) -> None:
        """Note that a client follows a stream."""
        await self._database.write(lambda c: note_reader(c, response_id, self._clock()))

    async def unread_for(self, response_id: str) -> float | None:
        """Return the seconds since a client has followed a stream.

        Returns:
            The seconds, many if no client has; None if the stream has ended or its response was deleted.
        """
        read_at = await self._database.read(lambda c: last_reader(c, response_id))
        return None if read_at is None else self._clock() - read_at

    async def progress(self, run_ids: Collection[str]) -> dict[str, int]:
        """Return a number for each response that changes with its events and its end."""
        return await self._database.read(lambda c: progress(c, run_ids))

    async def begin_reading(self, owner: str, response_id: str) -> str | None:
        """Note that a client receives the events of a response from now on.

        Returns:
            The state of its run; None if the owner has no response with events of this ID.
        """
        return await self._database.write(lambda c: begin_reading(c, owner, response_id, self._clock()))

    async def events_after(self, run_id: str, after: int) -> EventPage | None:
        """Return the next events after the one with the number `after`; None for a deleted response."""
        return await self._database.read(lambda c: events_after(c, run_id, after))

    async def open(self, owner: str, most: int) -> list[RunLine]:
        """Return the owner's runs that have not ended, at most so many, the next ones first."""
        return await self._database.read(lambda c: open_runs(c, owner, most))

    async def first_events(self, owner: str, response_id: str, most: int) -> list[str] | None:
        """Return the JSON texts of the first events of a response, at most so many.

        None if the owner has no such background response.
        """
        return await self._database.read(lambda c: first_events(c, owner, response_id, most))
