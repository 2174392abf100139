import asyncio

import msgspec
import pytest

from antiphon.durable import log
from antiphon.durable.log import RunLog
from antiphon.errors import StoreUnavailable
from antiphon.store import Store
from antiphon.store.runs.rows import Fenced
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone, OutputTextDelta
from antiphon.wire.items import FunctionCall, Message
from antiphon.wire.json import JSONObject
from tests.store.conftest import Run
from tests.store.runs.samples import claimed, submit, write

MESSAGE = Message(id="msg_1", role="assistant", status="in_progress", content=[])
CALL = FunctionCall(id="fc_1", status="completed", arguments="{}", call_id="call_1", name="f")


def delta(text: str) -> Event:
    return OutputTextDelta("msg_1", 0, 0, text, ())


async def logged(store: Store) -> list[JSONObject]:
    page = await store.runs.events_after("resp_1", -1)
    assert page is not None
    return [msgspec.json.decode(event) for event in page.events[2:]]


async def opened(store: Store) -> tuple[RunLog, list[str]]:
    """Return the log of a new response, and a list that records its wake-ups and failures."""
    await submit(store, "resp_1")
    noted: list[str] = []
    run = await claimed(store)
    return RunLog(
        store.runs, run, lambda: noted.append("wake"), lambda: noted.append("stop"), lambda: True
    ), noted


def test_events_that_come_together_share_a_write(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, noted = await opened(store)
        for number in range(5):
            await run_log.append([delta(str(number))])
        assert noted == [], "they wait for others"
        await run_log.record("tool:a", "1")
        assert noted == ["wake"]
        assert [event["delta"] for event in await logged(store)] == list("01234")
        assert [event["sequence_number"] for event in await logged(store)] == [2, 3, 4, 5, 6]

    run(scenario())


def test_events_are_written_after_a_short_time(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, noted = await opened(store)
        await run_log.append([delta("a")])
        async with asyncio.timeout(10):
            while not noted:  # noqa: ASYNC110 - it is noted by a callback
                await asyncio.sleep(0)
        assert [event["delta"] for event in await logged(store)] == ["a"]

    run(scenario())


def test_many_events_are_written_before_the_next(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, noted = await opened(store)
        await run_log.append([delta(str(number)) for number in range(300)])
        assert noted == ["wake"]
        assert len(await logged(store)) == 300

    run(scenario())


def test_function_calls_wait_for_the_end_of_their_model_call(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, _ = await opened(store)
        run_log.begin_call(0)
        await run_log.append([OutputItemAdded(0, MESSAGE), OutputItemDone(0, MESSAGE)])
        await run_log.append([OutputItemAdded(1, CALL), OutputItemDone(1, CALL)])
        await run_log.append([OutputItemAdded(2, MESSAGE)])
        await run_log.record("tool:a", "1")
        assert [event["output_index"] for event in await logged(store)] == [0, 0]
        await run_log.end_call("model:0", "[]")
        assert [event["output_index"] for event in await logged(store)] == [0, 0, 1, 1, 2]

    run(scenario())


def test_events_that_the_log_has_already_are_dropped(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, _ = await opened(store)
        await run_log.append([delta("a"), delta("b")])
        await run_log.record("tool:a", "1")
        again = RunLog(store.runs, await claimed(store), lambda: None, lambda: None, lambda: True)
        await again.append([delta("a"), delta("b"), delta("c")])
        await again.record("tool:b", "1")
        assert [event["delta"] for event in await logged(store)] == ["a", "b", "c"]

    run(scenario())


def test_a_write_that_fails_in_the_background_stops_the_execution(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        run_log, noted = await opened(store)

        async def fail(_: object) -> None:
            raise StoreUnavailable("The disk is full.")

        monkeypatch.setattr(store.runs, "write", fail)
        monkeypatch.setattr(log, "_DELAY", 0)
        await run_log.append([delta("a")])
        async with asyncio.timeout(10):
            while not noted:  # noqa: ASYNC110 - it is noted by a callback
                await asyncio.sleep(0)
        assert noted == ["stop"]
        assert isinstance(run_log.error, StoreUnavailable)
        with pytest.raises(StoreUnavailable):
            await run_log.record("tool:a", "1")

    run(scenario())


def test_a_log_whose_run_another_execution_has_is_fenced(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, _ = await opened(store)
        new = await claimed(store)
        await store.runs.write(write(new, 2, 3))
        with pytest.raises(Fenced):
            await run_log.record("tool:a", "1")

    run(scenario())


def test_a_write_ends_though_its_execution_is_cancelled(store: Store, run: Run) -> None:
    async def scenario() -> None:
        run_log, _ = await opened(store)
        await run_log.append([delta("a")])
        recording = asyncio.create_task(run_log.record("tool:a", "1"))
        await asyncio.sleep(0)
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
        await run_log.append([delta("b")])
        await run_log.record("tool:b", "1")
        assert [event["delta"] for event in await logged(store)] == ["a", "b"]

    run(scenario())
