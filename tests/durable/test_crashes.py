"""Background responses whose server crashes at any write."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import product

import pytest

from antiphon.durable import log
from antiphon.errors import StoreUnavailable
from antiphon.store import Store
from antiphon.store.runs.rows import Fenced
from antiphon.wire.json import JSONObject
from tests.durable.crashing import ID, TOOL, Crash, Crashing, Failing, HarmlessTool, Servers
from tests.service.world import ME
from tests.store.conftest import Run
from tests.store.samples import count_rows
from tests.support.thorough import some_of


@pytest.fixture(autouse=True)
def small_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a few events at a time, so that an execution has many places to crash at."""
    monkeypatch.setattr(log, "_MANY", 2)


async def undisturbed(servers: Servers) -> tuple[list[JSONObject], Sequence[int]]:
    """Run a response without a crash and delete it; return its events, and the writes to disturb.

    The number of writes varies a little, because events that come quickly share one.
    """
    await servers.submit()
    with Failing(servers.store, 0, is_committed=False) as writes:
        await servers.go_on()
    assert writes.count > 15, "there were few writes"
    events = await servers.events()
    assert await servers.store.responses.delete(ME, ID)
    servers.model.rounds.clear()
    servers.tool.made.clear()
    return events, some_of(range(1, writes.count + 2), 3)


def without_time(events: list[JSONObject]) -> list[JSONObject]:
    for event in events:
        if "response" in event:
            event["response"]["completed_at"] = None
    return events


async def crash(servers: Servers, at: int, *, is_committed: bool) -> bool:
    """Run a response until its process crashes at a write; return whether it did."""
    execution = await servers.claim()
    with Crashing(servers.store, at, is_committed=is_committed):
        try:
            await servers.go_on(execution)
        except Crash:
            await asyncio.sleep(0)
            return True
    return False


def texts(events: list[JSONObject]) -> list[str]:
    done = events[-1]["response"]["output"]
    return [part["text"] for item in done if item["type"] == "message" for part in item["content"]]


@pytest.mark.parametrize("is_committed", [False, True])
def test_D1_a_crash_at_any_write_changes_nothing_that_nobody_has_read(
    store: Store, run: Run, *, is_committed: bool
) -> None:
    async def scenario() -> None:
        servers = Servers(store, HarmlessTool())
        expected, writes = await undisturbed(servers)
        crashes = 0
        for at in writes:
            await servers.submit()
            if await crash(servers, at, is_committed=is_committed):
                crashes += 1
                again = await servers.next()
                if again is not None:
                    before = servers.model.rounds.copy()
                    await servers.go_on(again)
                    for step in again.steps:
                        if step.startswith("model:"):
                            number = int(step.removeprefix("model:"))
                            assert servers.model.rounds[number] == before[number], "it was paid twice"
            events = await servers.events()
            assert without_time(events) == without_time(expected), f"crash at write {at}"
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            assert await store.responses.delete(ME, ID)
        assert crashes >= len(writes) - 2

    run(scenario())


@pytest.mark.parametrize("is_committed", [False, True])
def test_D1_a_crash_at_any_write_keeps_what_a_client_has_read(
    store: Store, run: Run, *, is_committed: bool
) -> None:
    async def scenario() -> None:
        servers = Servers(store, HarmlessTool())
        expected, writes = await undisturbed(servers)
        cut_calls = 0
        for at in writes:
            await servers.submit(stream=True)
            await crash(servers, at, is_committed=is_committed)
            read = await servers.events()
            if read[-1]["type"] != "response.completed":
                await servers.go_on()
            events = await servers.events()
            assert events[: len(read)] == read
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            assert texts(events) == texts(expected)
            cut_calls += check_items(events)
            assert await store.responses.delete(ME, ID)
        assert cut_calls > 0

    run(scenario())


def check_items(events: list[JSONObject]) -> int:
    """Assert that items open and close one after another, at one place each; return how many were cut."""
    output = events[-1]["response"]["output"]
    open_item: JSONObject | None = None
    done: list[JSONObject] = []
    for event in events:
        if event["type"] == "response.output_item.added":
            assert open_item is None
            assert event["output_index"] == len(done)
            open_item = event["item"]
        elif event["type"] == "response.output_item.done":
            assert open_item is not None
            assert event["item"]["id"] == open_item["id"]
            done.append(event["item"])
            open_item = None
    assert open_item is None
    assert [item["id"] for item in done] == [item["id"] for item in output]
    assert len({item["id"] for item in output}) == len(output)
    cut = [item for item in output if item.get("status") == "incomplete"]
    for item in cut:
        assert item.get("content", []) == []
        assert item.get("summary", []) == []
    return len(cut)


def test_a_tool_that_changes_something_is_called_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store)
        at = 0
        unknown = 0
        has_crashed = True
        while has_crashed:
            at += 1
            servers.tool.made.clear()
            await servers.submit()
            has_crashed = await crash(servers, at, is_committed=True)
            if (again := await servers.next()) is not None:
                await servers.go_on(again)
            response = (await servers.events())[-1]["response"]
            assert response["status"] == "completed"
            assert max(servers.tool.made.values()) == 1
            errors = [item["error"] for item in response["output"] if item.get("error")]
            unknown += len(errors)
            for error in errors:
                assert "its outcome is unknown" in str(error)
            assert await store.responses.delete(ME, ID)
        assert unknown == 2, "either call was cut once"

    run(scenario())


def test_a_second_crash_at_any_write_is_survived(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store, HarmlessTool())
        expected, _ = await undisturbed(servers)
        for first, second in some_of([*product(range(2, 14, 3), range(1, 12, 2))], 2):
            await servers.submit(stream=True)
            await crash(servers, first, is_committed=True)
            await crash(servers, second, is_committed=True)
            if (await servers.events())[-1]["type"] != "response.completed":
                await servers.go_on()
            events = await servers.events()
            assert texts(events) == texts(expected)
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            check_items(events)
            assert await store.responses.delete(ME, ID)

    run(scenario())


def test_the_older_of_two_executions_stops(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store)
        await servers.submit()
        old = await servers.claim()
        new = await servers.claim()
        with pytest.raises(Fenced):
            await servers.go_on(old)
        await servers.go_on(new)
        assert (await servers.events())[-1]["type"] == "response.completed"

    run(scenario())


def test_a_response_whose_executions_all_fail_has_failed(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store)
        await servers.submit()
        for _ in range(20):
            await servers.claim()
        await servers.go_on()
        events = await servers.events()
        assert events[-1]["type"] == "response.failed"
        assert servers.model.rounds.total() == 0

    run(scenario())


def test_a_database_that_fails_at_the_end_leaves_the_response_to_another_execution(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        servers = Servers(store)
        await servers.submit()

        async def fail(_: object) -> None:
            raise StoreUnavailable("The disk is full.")

        with monkeypatch.context() as patched:
            patched.setattr(store.runs, "end", fail)
            with pytest.raises(StoreUnavailable):
                await servers.go_on()
        await servers.go_on()
        assert (await servers.events())[-1]["type"] == "response.completed"
        assert servers.model.rounds == {0: 1, 1: 1, 2: 1}

    run(scenario())


def test_a_request_that_cannot_be_decrypted_fails_its_response(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store)
        await servers.submit()
        other = Servers(store, secret="another secret")
        await other.go_on()
        last = (await servers.events())[-1]
        assert last["type"] == "response.failed"
        assert "seal key" in last["response"]["error"]["message"]

    run(scenario())


def test_the_stored_request_is_encrypted_and_gone_at_the_end(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store)
        await servers.submit(tools=[TOOL | {"authorization": "canary"}])
        execution = await servers.claim()
        assert "canary" not in execution.request
        await servers.go_on(execution)
        assert count_rows(url)["run_steps"] == 0

    run(scenario())


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("is_read", [False, True])
def test_any_write_can_fail(store: Store, run: Run, *, is_committed: bool, is_read: bool) -> None:
    async def scenario() -> None:
        servers = Servers(store, HarmlessTool())
        expected, writes = await undisturbed(servers)
        for at in writes:
            servers.model.rounds.clear()
            await servers.submit(stream=is_read)
            with Failing(store, at, is_committed=is_committed) as failing:
                while (execution := await servers.next()) is not None:
                    with suppress(StoreUnavailable, Fenced):
                        await servers.go_on(execution)
            assert failing.count > 10
            events = await servers.events()
            assert [event["sequence_number"] for event in events] == list(range(len(events)))
            assert texts(events) == texts(expected)
            check_items(events)
            if not is_read:
                assert without_time(events) == without_time(expected), f"write {at} failed"
            assert servers.model.rounds.total() <= 4
            assert await store.responses.delete(ME, ID)

    run(scenario())
