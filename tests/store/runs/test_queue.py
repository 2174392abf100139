import asyncio
import json
from pathlib import Path

import msgspec
import pytest
import sqlalchemy

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.runs import queue
from antiphon.store.runs.rows import Fenced, NewRun, RunLimits
from tests.store.conftest import OpenStore, Run
from tests.store.runs.samples import MANY, claimed, ending, event, events, numbers_after, submit, write
from tests.store.samples import ME, begin_in, converse, finished, new_response, seen_in, status_of


def test_a_response_is_queued_then_in_progress_then_completed(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        assert await status_of(store, "resp_1") == "queued"
        assert await store.runs.is_waiting(())
        execution = await claimed(store)
        assert (execution.id, execution.owner, execution.epoch, execution.next_seq) == ("resp_1", ME, 1, 2)
        assert await status_of(store, "resp_1") == "in_progress"
        assert not await store.runs.is_waiting(["resp_1"])
        assert await store.runs.claim(["resp_1"], MANY) is None
        await store.runs.end(ending(execution, 2, "out"))
        assert await status_of(store, "resp_1") == "completed"
        assert await store.runs.claim((), MANY) is None

    run(scenario())


def test_another_server_goes_on_when_a_server_has_stopped(open_store: OpenStore, run: Run) -> None:
    first, second = open_store(server_id="first"), open_store(server_id="second")

    async def scenario() -> None:
        await submit(first, "resp_1")
        execution = await claimed(first)
        await first.runs.write(write(execution, 2, 5))
        assert await second.runs.claim((), MANY) is None
        await first.servers.leave()
        assert await second.servers.recover(silent_for=30) == 0, "a background response doesn't fail"
        again = await claimed(second)
        assert (again.id, again.epoch, again.next_seq) == ("resp_1", 2, 5)

    run(scenario())


def test_a_frozen_server_that_wakes_up_cannot_write(open_store: OpenStore, run: Run) -> None:
    frozen, other = open_store(server_id="frozen"), open_store(server_id="other")

    async def scenario() -> None:
        await submit(frozen, "resp_1")
        old = await claimed(frozen)
        await frozen.servers.leave()
        new = await claimed(other)
        with pytest.raises(Fenced):
            await frozen.runs.write(write(old, 2, 3))
        with pytest.raises(Fenced):
            await frozen.runs.end(ending(old, 2, "lost"))
        await other.runs.write(write(new, 2, 4))
        await other.runs.end(ending(new, 4, "out"))
        assert await numbers_after(other, "resp_1") == [0, 1, 2, 3, 4]
        with pytest.raises(Fenced):
            await other.runs.write(write(new, 5, 6))

    run(scenario())


def test_a_fenced_write_harms_no_other_of_its_group(open_store: OpenStore, run: Run) -> None:
    store = open_store(server_id="one")

    async def scenario() -> None:
        await submit(store, "resp_1")
        await submit(store, "resp_2")
        old = await claimed(store)
        good = await claimed(store, old.id)
        await claimed(store, good.id)  # The first is given up, and begins again.
        results = await asyncio.gather(
            store.runs.write(write(old, 2, 3)), store.runs.write(write(good, 2, 3)), return_exceptions=True
        )
        assert isinstance(results[0], Fenced)
        assert results[1] is None
        assert await numbers_after(store, good.id) == [0, 1, 2]

    run(scenario())


def test_a_run_that_its_server_gave_up_is_claimed_again(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        await claimed(store)
        assert await store.runs.is_waiting(())
        assert (await claimed(store)).epoch == 2

    run(scenario())


def test_of_many_servers_one_claims_a_run(open_store: OpenStore, run: Run) -> None:
    stores = [open_store(server_id=f"server_{number}") for number in range(4)]

    async def scenario() -> None:
        for number in range(6):
            await submit(stores[0], f"resp_{number}")

        async def work(store: Store) -> list[str]:
            mine: list[str] = []
            while (execution := await store.runs.claim(mine, MANY)) is not None:
                mine.append(execution.id)
            return mine

        got = await asyncio.gather(*map(work, stores))
        assert sorted(each for mine in got for each in mine) == [f"resp_{number}" for number in range(6)]

    run(scenario())


def test_no_owner_waits_for_all_runs_of_another(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in range(6):
            await submit(store, f"resp_a{number}", owner="a", at=number)
        await submit(store, "resp_b0", owner="b", at=100, priority=2)
        await submit(store, "resp_c0", owner="c", at=101)
        order: list[str] = []
        while (execution := await store.runs.claim(order, RunLimits(per_owner=3, per_backend=9))) is not None:
            order.append(execution.id)
        assert order == ["resp_a0", "resp_c0", "resp_b0", "resp_a1", "resp_a2"]

    run(scenario())


def test_priorities_order_the_runs_of_an_owner(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for name, priority, at in (("late", 2, 1.0), ("soon", 0, 2.0), ("soon_too", 0, 3.0), ("two", 1, 0.5)):
            await submit(store, name, priority=priority, at=at)
        order: list[str] = []
        while (execution := await store.runs.claim(order, MANY)) is not None:
            order.append(execution.id)
        assert order == ["soon", "soon_too", "two", "late"]

    run(scenario())


def test_a_full_backend_delays_only_its_own_runs(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in range(3):
            await submit(store, f"resp_slow{number}", backend="slow", at=number)
        await submit(store, "resp_fast", backend="fast", at=9)
        order: list[str] = []
        limits = RunLimits(per_owner=9, per_backend=1)
        while (execution := await store.runs.claim(order, limits)) is not None:
            order.append(execution.id)
        assert order == ["resp_slow0", "resp_fast"]

    run(scenario())


def test_a_queued_response_is_cancelled_at_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        end = finished("resp_1", status="cancelled")
        assert await store.runs.cancel("thief", "resp_1", end, event(2)) is None
        assert await store.runs.cancel(ME, "resp_1", end, event(2)) == "queued"
        assert await status_of(store, "resp_1") == "cancelled"
        assert await numbers_after(store, "resp_1") == [0, 1, 2]
        assert await store.runs.claim((), MANY) is None
        assert await store.runs.cancel(ME, "resp_1", end, event(3)) == "ended"
        assert await numbers_after(store, "resp_1") == [0, 1, 2]

    run(scenario())


def test_the_server_of_a_running_response_learns_of_its_cancellation(open_store: OpenStore, run: Run) -> None:
    first, second = open_store(server_id="first"), open_store(server_id="second")

    async def scenario() -> None:
        await submit(first, "resp_1")
        await claimed(first)
        assert await first.runs.held(["resp_1"]) == {"resp_1": False}
        end = finished("resp_1", status="cancelled")
        assert await second.runs.cancel(ME, "resp_1", end, event(2)) == "running"
        assert await first.runs.held(["resp_1"]) == {"resp_1": True}
        assert await second.runs.held(["resp_1"]) == {}
        await first.servers.leave()
        assert (await claimed(second)).is_cancelled

    run(scenario())


def test_a_server_no_longer_holds_a_deleted_response(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        await claimed(store)
        assert await store.responses.delete(ME, "resp_1")
        assert await store.runs.held(["resp_1"]) == {}

    run(scenario())


def test_a_conversation_stays_locked_until_the_end(open_store: OpenStore, run: Run) -> None:
    first, second = open_store(server_id="first"), open_store(server_id="second")

    async def scenario() -> None:
        await converse(first, "conv_1")
        await first.conversations.lock(ME, "conv_1", "resp_1")
        new = msgspec.structs.replace(
            new_response("resp_1", "in"),
            conversation_id="conv_1",
            conversation_position=0,
        )
        queued = NewRun(
            response=new,
            queued=json.dumps({"id": "resp_1", "status": "queued"}),
            backend="up",
            priority=0,
            is_streamed=False,
            request="{}",
            events=events(0, 2),
        )
        await first.runs.submit(ME, queued)
        await first.servers.leave()
        await second.servers.recover(silent_for=30)
        with pytest.raises(Exception, match="conversation"):
            await second.conversations.lock(ME, "conv_1", "resp_2")
        execution = await claimed(second)
        await second.runs.end(ending(execution, 2, "out"))
        assert await seen_in(second, "conv_1") == ["in", "out"]
        await begin_in(second, "conv_1", "resp_2", "more")

    run(scenario())


def test_looks_and_claims_read_only_runs_that_have_not_ended(tmp_path: Path, run: Run) -> None:
    path = str(tmp_path / "state.db")

    async def create() -> None:
        await (await Store.open(path)).close()

    run(create())
    engine = open_engine(path).writing
    statements: list[tuple[str, tuple[object, ...]]] = []

    def note(_: object, __: object, statement: str, parameters: tuple[object, ...], *___: object) -> None:
        statements.append((statement, parameters))

    with engine.begin() as connection:
        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
        connection.execute(sqlalchemy.select(queue.waiting("server")), {queue.ACTIVE: ["resp_1"]})
        queue.claim(connection, "server", ["resp_1"], MANY)
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
        plans = [
            str(row[3])
            for statement, parameters in statements
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    engine.dispose()
    reads = [plan for plan in plans if plan.startswith(("SCAN runs", "SEARCH runs"))]
    assert len(reads) == 4
    assert all("USING INDEX runs_open" in plan for plan in reads), reads


def new_run(response_id: str, backend: str = "up") -> NewRun:
    return NewRun(
        response=new_response(response_id, f"in_{response_id}"),
        queued=json.dumps({"id": response_id, "status": "queued"}),
        backend=backend,
        priority=0,
        is_streamed=False,
        request="{}",
        events=events(0, 2),
    )


def test_a_run_is_claimed_as_it_is_submitted_if_nothing_waits(open_store: OpenStore, run: Run) -> None:
    here, other = open_store(), open_store()

    async def scenario() -> None:
        execution = await here.runs.submit(ME, new_run("resp_1"), MANY)
        assert execution is not None
        assert (execution.epoch, execution.next_seq, execution.steps) == (1, 2, {})
        assert await status_of(other, "resp_1") == "in_progress"
        assert await here.runs.held(["resp_1"]) == {"resp_1": False}
        assert await other.runs.claim((), MANY) is None
        await here.runs.end(ending(execution, 2, "out"))
        assert await status_of(other, "resp_1") == "completed"

    run(scenario())


def test_a_claimed_run_of_a_stopped_server_belongs_to_another(open_store: OpenStore, run: Run) -> None:
    here, other = open_store(), open_store()

    async def scenario() -> None:
        execution = await here.runs.submit(ME, new_run("resp_1"), MANY)
        assert execution is not None
        await here.servers.leave()
        again = await claimed(other)
        assert (again.id, again.epoch) == ("resp_1", 2)
        with pytest.raises(Fenced):
            await here.runs.write(write(execution, 2, 3))

    run(scenario())


@pytest.mark.parametrize("limits", [RunLimits(per_owner=1), RunLimits(per_backend=1)])
def test_a_run_beyond_a_limit_waits(open_store: OpenStore, run: Run, limits: RunLimits) -> None:
    here = open_store()

    async def scenario() -> None:
        first = await here.runs.submit(ME, new_run("resp_1"), limits)
        assert first is not None
        assert await here.runs.submit(ME, new_run("resp_2"), limits) is None
        assert await status_of(here, "resp_2") == "queued"
        await here.runs.end(ending(first, 2, "out"))
        # One that waits comes before a new one.
        assert await here.runs.submit(ME, new_run("resp_3"), limits) is None
        assert (await claimed(here, limits=limits)).id == "resp_2"

    run(scenario())


def test_without_a_free_place_a_run_waits(store: Store, run: Run) -> None:
    async def scenario() -> None:
        assert await store.runs.submit(ME, new_run("resp_1")) is None
        assert await status_of(store, "resp_1") == "queued"

    run(scenario())
