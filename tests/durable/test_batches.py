"""Batches whose server stops, or whose database fails, at any point."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Connection

from antiphon.durable.worker import Execution
from antiphon.errors import StoreUnavailable
from antiphon.service.batches.slots import LineLimits
from antiphon.store import Store
from antiphon.store.batches.rows import ClaimedBatch
from antiphon.store.batches.tables import batches
from antiphon.store.runs.rows import Fenced
from antiphon.store.tables import files, items, response_items, responses
from antiphon.wire.batches import Batch
from tests.durable.batching import ID, BatchServers, FailingStore
from tests.durable.crashing import Crash
from tests.server.batching import CHAT, RESPONSES, line
from tests.service.world import ME
from tests.store.conftest import Run

BAD = line("bad", previous_response_id="resp_0")
LINES = [line("one"), BAD, line("two"), line("unstored", store=False)]


async def check_end(servers: BatchServers, batch: Batch) -> None:
    """Assert that each line has one result, and that the counts are those of the files."""
    assert batch.status == "completed"
    output = await servers.results(batch.output_file_id)
    errors = await servers.results(batch.error_file_id)
    assert list(output) == ["one", "two", "unstored"]
    assert list(errors) == ["bad"]
    for custom_id, found in output.items():
        content = found["response"]["body"]["output"][0]["content"]
        assert content[0]["text"] == f"Echo {custom_id}"
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (4, 3, 1)
    assert batch.usage.total_tokens == 0  # The model reports none.
    assert await servers.claim() is None
    assert await servers.store.batches.finished_lines(ID) == set()


async def paid(servers: BatchServers) -> set[str]:
    """Return the messages whose lines have results, or whose response is stored as completed."""
    numbers = await servers.store.batches.finished_lines(ID)
    names = {number: each["custom_id"] for number, each in enumerate(LINES, 1)}
    return {names[number] for number in numbers}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_committed", [False, True])
def test_a_batch_survives_the_failure_of_any_store_call(
    store: Store, run: Run, tmp_path: Path, *, is_committed: bool
) -> None:
    async def scenario() -> None:
        failures, at, has_failed = 0, 0, True
        while has_failed:
            at += 1
            servers = BatchServers(store, tmp_path, LineLimits(per_process=1))
            await servers.submit(*LINES)
            claimed = await servers.claim()
            with FailingStore(store, at, is_committed=is_committed) as failing:
                try:
                    await servers.go_on(claimed)
                except StoreUnavailable:
                    failures += 1
            has_failed = failing.count >= at
            before, asked = await paid(servers), servers.model.asked.copy()
            again = await servers.claim()
            batch = await (servers.get() if again is None else servers.go_on(again))
            await check_end(servers, batch)
            for message in before:
                assert servers.model.asked[message] == asked[message], (at, message)
            await delete(store)
        assert failures > 10

    run(scenario())


@pytest.mark.parametrize("is_committed", [False, True])
def test_a_crash_at_any_store_call_repeats_no_finished_line(
    store: Store, run: Run, tmp_path: Path, *, is_committed: bool
) -> None:
    async def scenario() -> None:
        at, has_crashed = 0, True
        while has_crashed:
            at += 1
            servers = BatchServers(store, tmp_path, LineLimits(per_process=1))
            await servers.submit(*LINES)
            claimed = await servers.claim()
            crash = FailingStore(store, at, is_committed=is_committed, error=Crash, and_after=True)
            with crash:
                try:
                    await servers.go_on(claimed)
                except Crash:
                    await asyncio.sleep(0)
            has_crashed = crash.count >= at
            before, asked = await paid(servers), servers.model.asked.copy()
            again = await servers.claim()
            batch = await (servers.get() if again is None else servers.go_on(again))
            await check_end(servers, batch)
            for message in before:
                assert servers.model.asked[message] == asked[message], (at, message)
            await delete(store)

    run(scenario())


async def delete(store: Store) -> None:
    """Delete the batch and everything that its lines have stored."""

    def run(connection: Connection) -> None:
        for table in (batches, files, response_items, responses, items):
            connection.execute(sqlalchemy.delete(table))

    await store._database.write(run)


def test_a_response_that_was_stored_just_before_a_crash_is_not_paid_again(
    store: Store, run: Run, tmp_path: Path
) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path)
        await servers.submit(line("one"))
        claimed = await servers.claim()

        async def fail(_: object) -> None:
            raise Crash

        store.batches.add_line = fail  # type: ignore[method-assign,assignment]
        with pytest.raises(Crash):
            await servers.go_on(claimed)
        del store.batches.add_line
        batch = await servers.go_on()
        assert batch.request_counts.completed == 1
        assert servers.model.asked == {"one": 1}

    run(scenario())


def test_a_frozen_server_that_wakes_up_writes_nothing(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path)
        await servers.submit(line("one"))
        frozen = await servers.claim()
        batch = await servers.go_on(await servers.claim())
        with pytest.raises(Fenced):
            await servers.go_on(frozen)
        assert await servers.get() == batch

    run(scenario())


def test_a_cancelled_batch_keeps_the_finished_lines(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path, LineLimits(per_process=1))
        await servers.submit(line("one", CHAT), line("two", CHAT), line("three", CHAT), endpoint=CHAT)
        claimed = await servers.claim()
        assert claimed is not None
        execution: Execution[ClaimedBatch] = Execution(claimed)

        async def hold(text: str) -> None:
            if text == "two":
                assert (await servers.batches.cancel(ME, ID)).status == "cancelling"
                execution.cancel()
                await asyncio.Event().wait()

        servers.model.hold = hold
        await execution.begin(servers.batches.execute(execution))
        batch = await servers.get()
        assert batch.status == "cancelled"
        assert batch.cancelling_at is not None
        assert batch.cancelled_at is not None
        assert list(await servers.results(batch.output_file_id)) == ["one"]
        errors = await servers.results(batch.error_file_id)
        assert {name: each["error"]["code"] for name, each in errors.items()} == dict.fromkeys(
            ("two", "three"), "batch_cancelled"
        )
        assert all(each["response"] is None for each in errors.values())
        counts = batch.request_counts
        assert (counts.total, counts.completed, counts.failed) == (3, 1, 2)

    run(scenario())


def test_a_batch_that_waits_is_cancelled_without_a_call(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path)
        await servers.submit(line("one"))
        await servers.batches.cancel(ME, ID)
        batch = await servers.go_on()
        assert (batch.status, batch.output_file_id, batch.error_file_id) == ("cancelled", None, None)
        assert servers.model.asked == {}

    run(scenario())


def test_a_server_that_stops_leaves_the_batch_to_another(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path, LineLimits(per_process=1))
        await servers.submit(line("one"), line("two"))
        claimed = await servers.claim()
        assert claimed is not None
        execution: Execution[ClaimedBatch] = Execution(claimed)

        async def hold(text: str) -> None:
            if text == "two":
                execution.stop()
                await asyncio.Event().wait()

        servers.model.hold = hold
        with pytest.raises(asyncio.CancelledError):
            await execution.begin(servers.batches.execute(execution))
        servers.model.hold = None
        batch = await servers.go_on()
        assert batch.status == "completed"
        assert servers.model.asked == {"one": 1, "two": 2}

    run(scenario())


def test_a_batch_expires_with_the_lines_that_finished(url: str, run: Run, tmp_path: Path) -> None:
    now = [1000.0]

    async def scenario() -> None:
        store = await Store.open(url, clock=lambda: now[0])
        servers = BatchServers(store, tmp_path, LineLimits(per_process=1))
        await servers.submit(line("one"), line("two"))
        claimed = await servers.claim()
        assert claimed is not None
        assert claimed.remaining == 86_400

        async def fail(text: str) -> None:
            if text == "two":
                raise Crash

        servers.model.hold = fail
        with pytest.raises(Crash):
            await servers.go_on(claimed)
        now[0] += 86_401
        batch = await servers.go_on()
        assert batch.status == "expired"
        assert batch.expired_at is not None
        assert list(await servers.results(batch.output_file_id)) == ["one"]
        errors = await servers.results(batch.error_file_id)
        assert errors["two"]["error"]["code"] == "batch_expired"
        assert servers.model.asked == {"one": 1, "two": 1}
        await store.close()

    run(scenario())


def test_a_batch_whose_executions_all_fail_has_failed(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path)
        await servers.submit(line("one"))
        for _ in range(20):
            assert await servers.claim() is not None
        batch = await servers.go_on()
        assert batch.status == "failed"
        assert batch.errors is not None
        assert [error.code for error in batch.errors.data] == ["server_error"]
        assert servers.model.asked == {}

    run(scenario())


def test_a_deleted_input_file_fails_the_batch(store: Store, run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        servers = BatchServers(store, tmp_path)
        created = await servers.submit(line("one"), endpoint=RESPONSES)
        await servers.files.delete(ME, created.input_file_id)
        batch = await servers.go_on()
        assert batch.status == "failed"
        assert batch.errors is not None
        assert [error.code for error in batch.errors.data] == ["input_file_not_found"]

    run(scenario())
