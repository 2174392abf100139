"""Access to the database with one writer thread, group commit and several readers."""

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby, islice
from operator import attrgetter
from typing import Generic, TypeVar, cast

from msgspec import Struct
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from antiphon.errors import StoreUnavailable
from antiphon.store.connect import READERS, Opened, explain

A = TypeVar("A")
R = TypeVar("R")

_log = logging.getLogger(__name__)

Timing = Callable[[str, float, int], None]
"""Function that a thread calls after a transaction.

It receives `read` or `write`, the seconds of the transaction, and the number of its writes.
"""

_PATIENCE = 0.002
"""Seconds that a patient write waits for others to share its transaction."""
_GROUP = 256
"""The most jobs in a transaction."""
_FILE_IS_GONE = (
    "The file of the database was deleted or replaced while the server ran. Stop the server, restore the "
    "file, and start the server again."
)


class Job(Struct, Generic[A], eq=False):
    """A write that waits for the next transaction."""

    run: Callable[[Connection, list[A]], None]
    """Executes the write.

    It gets the arguments of all jobs of the group with the same `run`. It keeps no state, since it may be
    called again after a rollback.
    """
    argument: A
    """The argument of this job."""
    future: asyncio.Future[None]
    """The future that completes after COMMIT."""
    rank: int
    """The order within a group; lower ranks go first."""
    after: "Job[object] | None"
    """A job whose failure is also this job's failure."""
    on_failure: Callable[[], None] | None
    """Called on the event loop after a failure, even if the future was cancelled."""
    error: BaseException | None = None
    """The error, once the job has failed."""


class Database:
    """A database whose queries run outside of the event loop.

    Queries are plain functions of a connection. A transaction executes every write that is waiting when it
    begins; their futures complete after COMMIT. If a group fails, its jobs run again one by one, so that only
    the faulty one fails. Use all methods in the event loop that created the object.
    """

    def __init__(self, opened: Opened, timing: Timing | None = None) -> None:
        self.location = opened.location
        self.is_postgresql = opened.writing.dialect.name == "postgresql"
        """Whether the database is PostgreSQL."""
        self._timing = timing
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
        """Add a write to the next group, and return the job with its future.

        A group begins at once. If all waiting writes are `patient`, it begins a little later, because others
        are expected soon and a transaction costs as much as several writes. The future fails with
        `AntiphonError` or the error of `run`.

        Args:
            run: Executes the writes of a group; see `Job`.
            argument: The argument for `run`.
            rank: The order within a group; lower ranks go first.
            patient: Whether the write can wait for others.
            after: A job that must succeed first.
            on_failure: Called on the event loop after a failure.

        Raises:
            StoreUnavailable: The database is closed.
        """
        self._refuse_if_closed()
        job = Job(run, argument, self._loop.create_future(), rank, after, on_failure)
        queued = cast("Job[object]", job)  # Only `run` uses the argument.
        self._waiting.append(queued)
        if self._idle.is_set() and patient:
            self._idle.clear()
            self._later = self._loop.call_later(_PATIENCE, self._start_group)
        elif self._idle.is_set() or (self._later is not None and not patient):
            self._idle.clear()
            if self._later is not None:
                self._later.cancel()
                self._later = None
            self._loop.call_soon(self._start_group)  # Other writes of this loop iteration join it.
        return queued

    async def write(self, run: Callable[[Connection], R]) -> R:
        """Execute `run` in the next transaction, and return its result after COMMIT.

        Raises:
            AntiphonError: The database failed; errors of `run` are raised unchanged.
        """
        results: list[R] = []
        await self.enqueue(lambda connection, _: results.append(run(connection)), None).future
        return results[-1]

    async def read(self, run: Callable[[Connection], R]) -> R:
        """Execute `run` in its own transaction; all its statements see the same state.

        Raises:
            AntiphonError: The database failed; other errors of `run` are raised unchanged.
        """
        if self._opened.in_memory:  # This database has only one connection.
            return await self.write(run)
        self._refuse_if_closed()
        with _explained():
            return await self._loop.run_in_executor(self._readers, self._query, run)

    async def connect(self) -> Connection:
        """Return a connection to PostgreSQL without transactions, which the caller closes.

        Raises:
            StoreUnavailable: The database failed.
        """
        self._refuse_if_closed()
        alone = self._opened.writing.execution_options(isolation_level="AUTOCOMMIT")
        with _explained():
            return await asyncio.to_thread(alone.connect)

    async def maintain(self, run: Callable[[Connection], None]) -> None:
        """Execute `run` on PostgreSQL without a transaction, beside all reads and writes.

        It may take minutes. A cancellation ends the statement that it executes.

        Raises:
            AntiphonError: The database failed.
        """
        connection = await self.connect()
        running = asyncio.ensure_future(asyncio.to_thread(run, connection))
        try:
            with _explained():
                await asyncio.shield(running)
        finally:
            if not running.done():
                driver = connection.connection.driver_connection
                if driver is not None:
                    driver.cancel()
                await asyncio.gather(running, return_exceptions=True)
            await asyncio.to_thread(connection.close)

    async def close(self) -> None:
        """Wait for all writes, then stop the threads and close the connections."""
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
        """Commit a group.

        Raises:
            StoreUnavailable: The database failed, and running the jobs one by one wouldn't help.
        """
        if self._timing is None:
            self._commit_now(group)
        else:
            began = time.perf_counter()
            self._commit_now(group)
            self._timing("write", time.perf_counter() - began, len(group))

    def _commit_now(self, group: list[Job[object]]) -> None:
        self._check_file()
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

    def _check_file(self) -> None:
        """Check that the path of an SQLite database still has the open file.

        SQLite goes on reading and writing a file that was deleted, and everything is lost when it is closed.
        """
        file = self._opened.file
        if file is None or file.identity is None:
            return
        try:
            found = os.stat(file.path)
        except OSError:
            raise StoreUnavailable(_FILE_IS_GONE) from None
        if (found.st_dev, found.st_ino) != file.identity:
            raise StoreUnavailable(_FILE_IS_GONE)

    def _query(self, run: Callable[[Connection], R]) -> R:
        self._check_file()
        began = 0.0 if self._timing is None else time.perf_counter()
        with self._opened.reading.connect() as connection:
            result = run(connection)
        if self._timing is not None:
            self._timing("read", time.perf_counter() - began, 0)
        return result

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
    if job.future.cancelled():  # The request was cancelled, but its write remains.
        if error is not None:
            _log.error("Write failed after its request was cancelled: %s", error)
        return
    if error is None:
        job.future.set_result(None)
    else:
        job.future.set_exception(error)
