import asyncio
from collections.abc import Callable

import pytest

from antiphon.durable import worker
from antiphon.durable.worker import Execution, Worker
from antiphon.errors import StoreUnavailable
from antiphon.store import Store
from antiphon.store.runs.rows import ClaimedRun, Fenced, RunLimits
from tests.store.conftest import Run
from tests.store.runs.samples import ending, event, submit
from tests.store.samples import ME, finished, status_of


class Work:
    """Executions that end when the test lets them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.begun: list[Execution[ClaimedRun]] = []
        self.release = asyncio.Event()
        self.changed = asyncio.Event()

    async def execute(self, execution: Execution[ClaimedRun]) -> None:
        self.begun.append(execution)
        self.changed.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            if not execution.is_cancelled:
                raise
            await self.store.runs.end(ending(execution.run, 2, status="cancelled"))
            return
        await self.store.runs.end(ending(execution.run, 2))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds that executions change."""
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def test_a_worker_runs_what_waits_up_to_its_limit(store: Store, run: Run) -> None:
    async def scenario() -> None:
        work = Work(store)
        busy = Worker(store.runs, work.execute, RunLimits(per_process=2))
        for number in range(3):
            await submit(store, f"resp_{number}", at=number)
        busy.wake()
        await work.until(lambda: len(work.begun) == 2)
        assert [busy.is_active(f"resp_{number}") for number in range(3)] == [True, True, False]
        work.release.set()
        await work.until(lambda: len(work.begun) == 3)
        await busy.close()

    run(scenario())


def test_a_worker_without_work_has_no_task(store: Store, run: Run) -> None:
    async def scenario() -> None:
        before = asyncio.all_tasks()
        idle = Worker(store.runs, Work(store).execute, RunLimits())
        assert not await store.runs.is_waiting([])
        idle.wake()
        async with asyncio.timeout(20):
            await asyncio.gather(*(asyncio.all_tasks() - before))
        assert asyncio.all_tasks() == before
        await idle.close()

    run(scenario())


def test_a_look_finds_what_other_servers_have_left(store: Store, run: Run) -> None:
    async def scenario() -> None:
        work = Work(store)
        await submit(store, "resp_1")
        assert await store.runs.claim((), RunLimits()) is not None
        found = Worker(store.runs, work.execute, RunLimits())
        assert await store.servers.waiting([], [], []) == (True, False, False)
        found.wake()
        await work.until(lambda: len(work.begun) == 1)
        assert work.begun[0].run.epoch == 2
        await found.close()

    run(scenario())


def test_a_cancellation_on_another_server_stops_the_execution(store: Store, run: Run) -> None:
    async def scenario() -> None:
        work = Work(store)
        busy = Worker(store.runs, work.execute, RunLimits())
        await submit(store, "resp_1")
        busy.wake()
        await work.until(lambda: len(work.begun) == 1)
        end = finished("resp_1", status="cancelled")
        assert await store.runs.cancel(ME, "resp_1", end, event(2)) == "running"
        with busy.signals.listen("resp_1") as listener:
            async with asyncio.timeout(20):
                while await status_of(store, "resp_1") == "in_progress":
                    await listener.wait(1)
        assert await status_of(store, "resp_1") == "cancelled"
        await busy.close()

    run(scenario())


@pytest.mark.parametrize("error", [StoreUnavailable("no"), RuntimeError("a defect")])
def test_an_execution_that_fails_is_repeated(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(worker, "_PAUSES", (0.0,))

    async def scenario() -> None:
        epochs: list[int] = []
        done = asyncio.Event()

        async def execute(execution: Execution[ClaimedRun]) -> None:
            epochs.append(execution.run.epoch)
            if len(epochs) < 3:
                raise error
            await store.runs.end(ending(execution.run, 2))
            done.set()

        busy = Worker(store.runs, execute, RunLimits())
        await submit(store, "resp_1")
        busy.wake()
        async with asyncio.timeout(20):
            await done.wait()
        await busy.close()
        assert epochs == [1, 2, 3]

    run(scenario())


def test_a_fenced_execution_just_ends(store: Store, run: Run) -> None:
    async def scenario() -> None:
        ended = asyncio.Event()

        async def execute(execution: Execution[ClaimedRun]) -> None:
            await store.runs.end(ending(execution.run, 2))
            ended.set()
            raise Fenced(execution.run.id)

        busy = Worker(store.runs, execute, RunLimits())
        await submit(store, "resp_1")
        busy.wake()
        async with asyncio.timeout(20):
            await ended.wait()
        await busy.close()
        assert not busy.is_active("resp_1")

    run(scenario())


def test_a_closed_worker_leaves_its_executions_to_others(store: Store, run: Run) -> None:
    async def scenario() -> None:
        work = Work(store)
        first = Worker(store.runs, work.execute, RunLimits())
        await submit(store, "resp_1")
        first.wake()
        await work.until(lambda: len(work.begun) == 1)
        await first.close()
        assert await status_of(store, "resp_1") == "in_progress"
        assert await store.runs.claim((), RunLimits()) is not None

    run(scenario())


def test_an_execution_that_is_cancelled_before_it_begins_is_repeated(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        work = Work(store)
        busy = Worker(store.runs, work.execute, RunLimits())
        original = store.runs.claim
        claims: list[str] = []

        async def claim(active: list[str], limits: RunLimits) -> ClaimedRun | None:
            claimed = await original(active, limits)
            if claimed is not None:
                claims.append(claimed.id)
                if len(claims) == 1:
                    # It runs after the worker has made the task, and before the first step of the task.
                    asyncio.get_running_loop().call_soon(busy.cancel, claimed.id)
            return claimed

        monkeypatch.setattr(store.runs, "claim", claim)
        await submit(store, "resp_1")
        busy.wake()
        await work.until(lambda: len(work.begun) == 1)
        assert claims == ["resp_1", "resp_1"]
        await busy.close()

    run(scenario())


def test_places_are_reserved_up_to_the_limit(store: Store, run: Run) -> None:
    async def scenario() -> None:
        work = Work(store)
        busy = Worker(store.runs, work.execute, RunLimits(per_process=2))
        assert [busy.reserve(name) for name in "abc"] == [True, True, False]
        await submit(store, "resp_1")
        busy.wake()
        await asyncio.sleep(0)
        assert await store.runs.is_waiting([]), "reserved places are not free"
        busy.start("a", None)
        busy.wake()
        await work.until(lambda: len(work.begun) == 1)
        assert not busy.reserve("d")
        busy.start("b", None)
        work.release.set()
        await busy.close()
        assert not busy.reserve("e")

    run(scenario())


def test_work_that_is_being_submitted_is_not_claimed_again(store: Store, run: Run) -> None:
    async def scenario() -> None:
        work = Work(store)
        busy = Worker(store.runs, work.execute, RunLimits())
        await submit(store, "resp_1")
        assert busy.reserve("resp_1")
        claimed_run = await store.runs.claim((), RunLimits())  # Its submission claims it, and goes on later.
        busy.wake()
        await busy._claim_all()
        assert work.begun == []
        assert busy.active == ["resp_1"]
        busy.start("resp_1", claimed_run)
        await work.until(lambda: len(work.begun) == 1)
        await busy.close()

    run(scenario())
