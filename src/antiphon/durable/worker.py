"""Execution of queued work in this process, such as background responses: claims, limits, cancellation."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import Generic, Protocol, TypeVar

from antiphon.durable.signals import Signals
from antiphon.errors import AntiphonError
from antiphon.store.runs.rows import Fenced

log = logging.getLogger(__name__)


class Claimed(Protocol):
    """Work that belongs to this server from its claim on."""

    @property
    def id(self) -> str:
        """The ID of the work."""
        ...

    @property
    def epoch(self) -> int:
        """The number of this execution; writes of earlier ones are rejected."""
        ...

    @property
    def is_cancelled(self) -> bool:
        """Whether the work is to be cancelled."""
        ...


class Limits(Protocol):
    """The limits of a kind of work."""

    @property
    def per_process(self) -> int:
        """The most that one server executes at the same time."""
        ...


C = TypeVar("C", bound=Claimed)
C_co = TypeVar("C_co", bound=Claimed, covariant=True)
L = TypeVar("L", bound=Limits)
L_contra = TypeVar("L_contra", bound=Limits, contravariant=True)


class Queue(Protocol[C_co, L_contra]):
    """The queue of one kind of work in the database."""

    async def is_waiting(self, active: Collection[str]) -> bool:
        """Return whether work is queued or was left by its server; `active` is that of this server."""
        ...

    async def claim(self, active: Collection[str], limits: L_contra) -> C_co | None:
        """Begin an execution of the next work; None if none waits or can begin within the limits."""
        ...

    async def held(self, active: Collection[str]) -> dict[str, bool]:
        """Return the work that this server still executes, each with whether it is to be cancelled."""
        ...


_TICK = 0.25
"""Seconds between two looks for cancelled and deleted responses, while this process runs some."""
_LOOK = 4
"""Number of ticks between two looks for waiting work."""
_PAUSE = 1.0
"""Seconds between two attempts to read the queue from a database that fails."""
_PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds before a failed execution is repeated, by the number of the attempt."""


class Execution(Generic[C]):
    """One execution of work, such as a response, in a task of its own."""

    def __init__(self, run: C) -> None:
        self.run = run
        """The claimed work."""
        self.is_cancelled = run.is_cancelled
        """Whether the work is to be cancelled."""
        self._task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Start the task."""
        self._task = asyncio.create_task(work)
        return self._task

    def cancel(self) -> None:
        """Cancel the work, and the calls that it makes."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self.stop()

    def stop(self) -> None:
        """Stop the execution: another one continues it, unless the work is cancelled."""
        if self._task is not None:
            self._task.cancel()


class Worker(Generic[C, L]):
    """The work of one kind that this process executes.

    It works only while there is something to do: `wake` begins it.

    Args:
        records: The queue of the database.
        execute: Executes work to its end. It raises `Fenced` or `AntiphonError` if it cannot.
        limits: The limits of this process, and those of the queue.
        noun: The kind of work in log messages.
    """

    def __init__(
        self,
        records: Queue[C, L],
        execute: Callable[[Execution[C]], Awaitable[None]],
        limits: L,
        noun: str = "background response",
    ) -> None:
        self.signals = Signals()
        """Wake-ups of the readers of events."""
        self._records = records
        self._execute = execute
        self._limits = limits
        self._noun = noun
        self._active: dict[str, Execution[C]] = {}
        self._reserved: set[str] = set()
        """Work that is being submitted, and may be claimed with it."""
        self._may_wait = False
        """Whether work may wait that this process could not begin."""
        self._missing: set[Execution[C]] = set()
        """Executions whose work the last look did not find."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def active(self) -> list[str]:
        """The IDs of the work that this process executes."""
        return [*self._active, *self._reserved]

    def is_active(self, run_id: str) -> bool:
        """Return whether this process executes a response."""
        return run_id in self._active

    def wake(self) -> None:
        """Look for work now."""
        self._may_wait = True
        self._woken.set()
        self._go_on()

    def reserve(self, run_id: str) -> bool:
        """Reserve a place for work that is claimed as it is submitted; return whether one is free.

        Call `start` afterwards.
        """
        if self._is_closed or len(self.active) >= self._limits.per_process:
            return False
        self._reserved.add(run_id)
        return True

    def start(self, run_id: str, run: C | None) -> None:
        """Give back a reserved place, and execute the claimed work, if any."""
        self._reserved.discard(run_id)
        if run is not None and not self._is_closed:
            self._begin(run)
            self._go_on()

    def _go_on(self) -> None:
        if not self._is_closed and (self._working is None or self._working.done()):
            self._working = asyncio.create_task(self._work())

    def cancel(self, run_id: str) -> None:
        """Cancel work at once if this process executes it."""
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
        now = asyncio.get_running_loop().time
        looked = now()
        while self._active or self._woken.is_set():
            try:
                if self._woken.is_set() or ticks % _LOOK == 0:
                    self._woken.clear()
                    await self._claim_all()
                if now() - looked >= _TICK:  # Not at every wake-up: each submission and each end is one.
                    await self._stop_lost()
                    looked = now()
            except AntiphonError as error:
                log.error("Failed to look for work (%s): %s", self._noun, error.message)
                await asyncio.sleep(_PAUSE)
                self._woken.set()
            ticks += 1
            try:
                async with asyncio.timeout(_TICK):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _claim_all(self) -> None:
        while len(self.active) < self._limits.per_process:
            self._may_wait = False
            # The write of a claim would disturb other writes; most looks find nothing.
            if not await self._records.is_waiting(self.active):
                return
            self._may_wait = True
            run = await self._records.claim(self.active, self._limits)
            if run is None:
                return
            self._begin(run)

    def _begin(self, run: C) -> None:
        execution = self._active[run.id] = Execution(run)
        task = execution.begin(self._run(execution))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not at the end of the coroutine: a task that is cancelled before its first step never enters it.
        task.add_done_callback(partial(self._ended, run.id))

    async def _stop_lost(self) -> None:
        """Stop executions whose work was cancelled, deleted, or taken over."""
        executions = list(self._active.items())
        if not executions:
            return
        held = await self._records.held([run_id for run_id, _ in executions])
        missing = {execution for run_id, execution in executions if run_id not in held}
        for run_id, execution in executions:
            # One that is missing for the first time may just have stored its end.
            if execution in self._missing & missing:
                execution.stop()
            elif held.get(run_id):
                execution.cancel()
        self._missing = missing

    async def _run(self, execution: Execution[C]) -> None:
        run = execution.run
        try:
            await self._execute(execution)
        except Fenced:
            log.info("Stopped a %s that another server runs or that was deleted: %s", self._noun, run.id)
        except AntiphonError as error:
            log.error("Failed to run %s %s: %s", self._noun, run.id, error.message)
            self._may_wait = True
            await self._pause(run)
        except Exception:
            # The boundary of background work: it is tried again, and fails after some attempts.
            log.exception("Failed to run %s %s", self._noun, run.id)
            self._may_wait = True
            await self._pause(run)

    def _ended(self, run_id: str, task: "asyncio.Task[None]") -> None:
        del self._active[run_id]
        self._may_wait = self._may_wait or task.cancelled()
        self.signals.wake(run_id)
        if self._may_wait and not self._is_closed:
            self.wake()

    async def _pause(self, run: C) -> None:
        """Wait as a part of the execution, so that nothing claims the work again before the end."""
        await asyncio.sleep(_PAUSES[min(run.epoch, len(_PAUSES)) - 1])


async def uninterrupted(work: Coroutine[object, object, None]) -> None:
    """Finish a write, such as the end of a response, even if the execution is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
    task.result()
