"""The events of a response and the state behind them."""

import asyncio
import logging

import pytest

from antiphon.errors import InternalError, StoreUnavailable, UpstreamBroken
from tests.service.world import World, call_function, fail_ends, hold_ends, say, text_of, wire

TERMINAL = {"response.completed", "response.incomplete", "response.failed"}


def test_a_response_is_stored_as_it_was_sent(world: World) -> None:
    world.model.script(say("Hel", "lo."))
    *_, last = world.events(input="Hi", metadata={"k": "v"}, instructions="Be.")
    assert last["type"] == "response.completed"
    assert world.get(last["response"]["id"]) == last["response"]
    assert text_of(last["response"]) == "Hello."


def test_no_terminal_event_gets_out_before_the_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = world.store

    async def scenario() -> None:
        release = asyncio.Event()
        hold_ends(store, monkeypatch, release)
        run = await world.prepare(input="Hi")
        events = run.events()
        kinds: list[str] = []

        async def read() -> None:
            async for batch in events:
                kinds.extend(wire(event)["type"] for event in batch)

        reader = asyncio.create_task(read())
        # Once the response is stored, every event except the terminal one has been sent.
        while (stored := await store.responses.get("me", run.loop.response.id)) is None or (
            stored.status == "in_progress"
        ):
            assert not TERMINAL & set(kinds)
        assert "response.output_text.delta" in kinds
        assert not TERMINAL & set(kinds)
        release.set()
        await reader
        assert kinds[-1] == "response.completed"

    world.run(scenario())


def test_an_end_that_cannot_be_stored_is_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_ends(world.store, monkeypatch, StoreUnavailable("The disk is full."))
    world.model.script(say("Hello."))
    events = world.events(input="Hi")
    kinds = [event["type"] for event in events]
    assert kinds[-2:] == ["error", "response.failed"]
    assert not {"response.completed"} & set(kinds)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    failed = events[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["error"] == {
        "code": "server_error",
        "message": "The disk is full.",
        "param": None,
        "type": "server_error",
    }
    assert failed["completed_at"] is None
    with pytest.raises(StoreUnavailable, match="The disk is full"):
        world.respond("Hi")


def test_a_failure_that_cannot_be_stored_stays_a_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_ends(world.store, monkeypatch, StoreUnavailable("The disk is full."))
    world.model.script(UpstreamBroken("up/m: cut"))
    events = world.events(input="Hi")
    assert [event["type"] for event in events[2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == [0, 1, 2, 3]
    assert events[-1]["response"]["error"]["message"] == "up/m: cut"


def test_what_is_left_is_stored_as_cancelled(world: World) -> None:
    world.model.script(say("Hel", "lo", "."))
    world.model.hang = True

    async def scenario() -> str:
        run = await world.prepare(input="Hi")
        events = run.events()
        async for batch in events:
            if any(wire(event)["type"] == "response.output_text.delta" for event in batch):
                break
        await events.aclose()
        return run.loop.response.id

    response_id = world.run(scenario())
    world.settle()
    stored = world.get(response_id)
    assert stored["status"] == "cancelled"
    assert stored["completed_at"] is None
    (message,) = stored["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "Hel")
    assert world.model.closed == 1


def test_a_cancelled_task_is_stored_as_cancelled(world: World) -> None:
    world.model.hang = True

    async def scenario() -> str:
        run = await world.prepare(input="Hi")
        task = asyncio.create_task(run.response())
        await world.model.called.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return run.loop.response.id

    response_id = world.run(scenario())
    world.settle()
    assert world.get(response_id)["status"] == "cancelled"
    assert world.model.closed == 1


@pytest.mark.parametrize(
    ("reply", "status"), [(say("Fine."), "completed"), (UpstreamBroken("up/m: cut"), "failed")]
)
def test_a_response_whose_commit_nobody_waits_for_keeps_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch, reply: list[bytes] | Exception, status: str
) -> None:
    world.model.script(reply)
    store = world.store

    async def scenario() -> str:
        release = asyncio.Event()
        hold_ends(store, monkeypatch, release)
        run = await world.prepare(input="Hi")
        task = asyncio.create_task(run.response())
        while (stored := await store.responses.get("me", run.loop.response.id)) is None or (
            stored.status == "in_progress"
        ):
            pass
        task.cancel()
        await asyncio.wait([task])
        return run.loop.response.id

    response_id = world.run(scenario())
    world.settle()
    assert world.get(response_id)["status"] == status


def test_a_fault_of_the_server_ends_the_stream(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.model.script(ZeroDivisionError("a bug"))
    with caplog.at_level(logging.ERROR):
        events = world.events(input="Hi")
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert "a bug" not in str(events)
    assert "a bug" in caplog.text
    assert world.get(events[-1]["response"]["id"])["status"] == "failed"
    with pytest.raises(InternalError):
        world.respond("Hi")


def test_a_broken_upstream_is_stored_as_failed(world: World) -> None:
    world.model.script(say("Hel", finish=None))
    events = world.events(input="Hi")
    failed = events[-1]["response"]
    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "server_error"
    assert world.get(failed["id"]) == failed
    with pytest.raises(UpstreamBroken):
        world.respond("Hi")


def test_incomplete_is_stored_as_incomplete(world: World) -> None:
    world.model.script(say("Hel", finish="length"))
    response = world.respond("Hi")
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert world.get(response["id"]) == response


def test_a_response_that_is_not_stored_leaves_no_row(world: World) -> None:
    before = world.all_rows()
    world.model.script(say("Hello."), call_function("call_1"), UpstreamBroken("up/m: cut"))
    world.respond("Hi", store=False)
    world.respond("Hi", store=False)
    with pytest.raises(UpstreamBroken):
        world.respond("Hi", store=False)
    assert world.all_rows() == before
