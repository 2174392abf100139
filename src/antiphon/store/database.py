"""One writer with group commit, a few readers, and an event loop that never waits for the disk."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import Generic, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from antiphon.errors import StoreUnavailable
from antiphon.store.connect import READERS, Opened, explain

A = TypeVar("A")
R = TypeVar("R")

_log = logging.getLogger(__name__)

_PATIENCE = 0.002
"""Seconds that a patient write waits for others to share its transaction."""
_GROUP = 256
"""The most jobs in one transaction."""


@dataclass(slots=True, eq=False)
class Job(Generic[A]):
    """A write that waits for the next transaction.

    `run` gets the arguments of all jobs of the group that share it, and may be called again after a
    rollback, so it keeps no state. Jobs of a lower `rank` go first within a group. If `after` failed, this
    job fails with the same error. `on_failure` is called on the event loop, whoever waits or not.
    """

    run: Callable[[Connection, list[A]], None]
    argument: A
    future: asyncio.Future[None]
    rank: int
    after: "Job[object] | None"
    on_failure: Callable[[], None] | None
    error: BaseException | None = None


class Database:
    """Runs queries, which are plain functions of a connection, off the event loop.

    Every write that waits when a transaction begins joins it, and its future resolves after COMMIT. If a
    group fails, its jobs run again one by one, so that only the guilty one fails. All methods belong to
    the event loop that made the object.
    """

    def __init__(self, opened: Opened) -> None:
        self.location = opened.location
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._writer = ThreadPoolExecutor(1, "antiphon-writer")
        self._readers = ThreadPoolExecutor(READERS, "antiphon-reader")
        self._waiting: deque[Job[object]] = deque()
        self._alone: deque[Job[object]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()
        self._later: asyncio.TimerHandle | None = None
        self._closed = False

    def enqueue(
        self,
        run: Callable[[Connection, list[A]], None],
        argument: A,
        *,
        rank: int = 9,
        patient: bool = False,
        after: Job[object] | None = None,
        on_failure: Callable[[], None] | None = None,
    ) -> Job[object]:
        """Puts a write into the next group; its `future` tells the outcome.

        A group begins at once, or a little later while all that wait are `patient`: others are about to come,
        and a transaction costs as much as several writes. Raises `StoreUnavailable` after `close`. The future
        fails with `AntiphonError` or what `run` raised.
        """
        self._refuse_if_closed()
        job = Job(run, argument, self._loop.create_future(), rank, after, on_failure)
        queued = cast("Job[object]", job)  # only `run` itself ever looks at the argument
        self._waiting.append(queued)
        if self._idle.is_set() and patient:
            self._idle.clear()
            self._later = self._loop.call_later(_PATIENCE, self._start_group)
        elif self._idle.is_set() or (self._later is not None and not patient):
            self._idle.clear()
            if self._later is not None:
                self._later.cancel()
                self._later = None
            self._loop.call_soon(self._start_group)  # the other writes of this turn of the loop join it
        return queued

    async def write(self, run: Callable[[Connection], R]) -> R:
        """Runs `run` in the next transaction and returns its result after COMMIT; errors as in `enqueue`."""
        results: list[R] = []
        await self.enqueue(lambda connection, _: results.append(run(connection)), None).future
        return results[-1]

    async def read(self, run: Callable[[Connection], R]) -> R:
        """Runs `run` in a transaction of its own; all its statements see the same state.

        Raises `AntiphonError` for the driver's errors.
        """
        if self._opened.in_memory:  # there is only one connection
            return await self.write(run)
        self._refuse_if_closed()
        with _explained():
            return await self._loop.run_in_executor(self._readers, self._query, run)

    async def close(self) -> None:
        """Waits for all writes, then ends threads and connections."""
        self._closed = True
        await self._idle.wait()
        await asyncio.to_thread(self._dispose)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailable("The store is closed.")

    def _start_group(self) -> None:
        self._later = None
        if self._alone:
            group = [self._alone.popleft()]
        else:
            group = list(islice(self._waiting, _GROUP))
            for _ in group:
                self._waiting.popleft()
            group.sort(key=attrgetter("rank"))
        if not group:
            self._idle.set()
            return
        doomed = [job for job in group if job.after is not None and job.after.error is not None]
        for job in doomed:
            group.remove(job)
            _settle(job, cast("Job[object]", job.after).error)
        running = self._loop.run_in_executor(self._writer, self._commit, group)
        running.add_done_callback(partial(self._end_group, group))

    def _end_group(self, group: list[Job[object]], running: asyncio.Future[None]) -> None:
        error = running.exception()
        if error is not None and not isinstance(error, StoreUnavailable) and len(group) > 1:
            self._alone.extend(group)
        else:
            for job in group:
                _settle(job, error)
        self._start_group()

    def _commit(self, group: list[Job[object]]) -> None:
        """Raises `StoreUnavailable` where no job is to blame, and running them again would be in vain."""
        with _explained():
            connection = self._opened.writing.connect()
        with connection:
            with _explained():
                connection.begin()
            try:
                for run, jobs in groupby(group, key=attrgetter("run")):
                    run(connection, [job.argument for job in jobs])
            except DBAPIError as error:
                if len(group) == 1 or error.connection_invalidated:
                    raise explain(error) from error
                raise
            with _explained():
                connection.commit()

    def _query(self, run: Callable[[Connection], R]) -> R:
        with self._opened.reading.connect() as connection:
            return run(connection)

    def _dispose(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._opened.writing.dispose()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise explain(error) from error


def _settle(job: Job[object], error: BaseException | None) -> None:
    job.error = error
    if error is not None and job.on_failure is not None:
        job.on_failure()
    if job.future.cancelled():  # the caller went away; the write stands
        if error is not None:
            _log.error("A write that nobody waits for any more failed: %s", error)
        return
    if error is None:
        job.future.set_result(None)
    else:
        job.future.set_exception(error)
