"""Execution of background responses in this process: claims, limits, cancellation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial

from antiphon.durable.signals import Signals
from antiphon.errors import AntiphonError
from antiphon.store.runs.rows import ClaimedRun, Fenced, RunLimits
from antiphon.store.runs.runs import RunRecords

log = logging.getLogger(__name__)

_TICK = 0.25
"""Seconds between two looks for cancelled and deleted responses, while this process runs some."""
_LOOK = 4
"""Number of ticks between two looks for waiting responses."""
_PAUSE = 1.0
"""Seconds between two attempts to read the queue from a database that fails."""
_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds before a failed execution is repeated, by the number of the attempt."""


class Execution:
    """One execution of a response, in a task of its own."""

    def __init__(self, run: ClaimedRun) -> None:
        self.run = run
        """The claimed run."""
        self.is_cancelled = run.is_cancelled
        """Whether the response is to be cancelled."""
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Start the task."""
        self._task = asyncio.create_task(work)
        return self._task

    def cancel(self) -> None:
        """Cancel the response, and the calls that it makes."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self.stop()

    def stop(self) -> None:
        """Stop the execution: another one continues it, unless the response is cancelled."""
        if self._task is not None:
            self._task.cancel()


Execute = Callable[[Execution], Awaitable[None]]
"""Executes a response to its end. It raises `Fenced` or `AntiphonError` if it cannot."""


class Worker:
    """The background responses that this process executes.

    It works only while there is something to do: `wake` and `look` begin it.

    Args:
        records: The background responses of the database.
        execute: Executes a response.
        limits: The limits of this process, of each owner and of each backend.
    """

    def __init__(self, records: RunRecords, execute: Execute, limits: RunLimits) -> None:
        self.signals = Signals()
        """Wake-ups of the readers of events."""
        self._records = records
        self._execute = execute
        self._limits = limits
        self._active: dict[str, Execution] = {}
        self._missing: set[Execution] = set()
        """Executions whose run the last look did not find."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._is_closed = False

    def is_active(self, run_id: str) -> bool:
        """Return whether this process executes a response."""
        return run_id in self._active

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()
        if not self._is_closed and (self._working is None or self._working.done()):
            self._working = asyncio.create_task(self._work())

    async def look(self) -> None:
        """Begin to work if a response waits, also one that a stopped server has left."""
        if await self._records.is_waiting(list(self._active)):
            self.wake()

    def cancel(self, run_id: str) -> None:
        """Cancel a response at once if this process executes it."""
        if (execution := self._active.get(run_id)) is not None:
            execution.cancel()

    async def close(self) -> None:
        """Stop all executions; other servers or the next start continue them."""
        self._is_closed = True
        if self._working is not None:
            self._working.cancel()
        for execution in self._active.values():
            execution.stop()
        tasks = [*self._tasks, *([self._working] if self._working is not None else [])]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        ticks = 0
        while self._active or self._woken.is_set():
            try:
                if self._woken.is_set() or ticks % _LOOK == 0:
                    self._woken.clear()
                    await self._claim_all()
                await self._stop_lost()
            except AntiphonError as error:
                log.error("Failed to look for background responses: %s", error.message)
                await asyncio.sleep(_PAUSE)
                self._woken.set()
            ticks += 1
            try:
                async with asyncio.timeout(_TICK):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _claim_all(self) -> None:
        while len(self._active) < self._limits.per_process:
            # The write of a claim would disturb other writes; most looks find nothing.
            if not await self._records.is_waiting(list(self._active)):
                return
            run = await self._records.claim(list(self._active), self._limits)
            if run is None:
                return
            execution = self._active[run.id] = Execution(run)
            task = execution.begin(self._run(execution))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            # Not at the end of the coroutine: a task that is cancelled before its first step never enters it.
            task.add_done_callback(partial(self._ended, run.id))

    async def _stop_lost(self) -> None:
        """Stop executions whose response was cancelled, deleted, or taken over."""
        executions = list(self._active.items())
        if not executions:
            return
        held = await self._records.held([run_id for run_id, _ in executions])
        missing = {execution for run_id, execution in executions if run_id not in held}
        for run_id, execution in executions:
            # One that is missing for the first time may just have stored the end of its response.
            if execution in self._missing & missing:
                execution.stop()
            elif held.get(run_id):
                execution.cancel()
        self._missing = missing

    async def _run(self, execution: Execution) -> None:
        run = execution.run
        try:
            await self._execute(execution)
        except Fenced:
            log.info("Stopped a background response that another server runs or that was deleted: %s", run.id)
        except AntiphonError as error:
            log.error("Failed to run background response %s: %s", run.id, error.message)
            await self._pause(run)
        except Exception:
            # The boundary of background work: the response is tried again, and fails after some attempts.
            log.exception("Failed to run background response %s", run.id)
            await self._pause(run)

    def _ended(self, run_id: str, _: "asyncio.Task[None]") -> None:
        del self._active[run_id]
        self.signals.wake(run_id)
        if not self._is_closed:
            self.wake()

    async def _pause(self, run: ClaimedRun) -> None:
        """Wait as a part of the execution, so that nothing claims the response again before the end."""
        await asyncio.sleep(_PAUSES[min(run.epoch, len(_PAUSES)) - 1])
