"""Steering over a WebSocket: input that is accepted, pending, applied or returned."""

import asyncio

import pytest

from antiphon.errors import UpstreamUnreachable
from antiphon.server.websocket import steering
from antiphon.service.responses.run import Run
from antiphon.wire.json import JSON, JSONObject
from tests.server.websocket.stage import SEARCH, F, Stage, failure, search, staged
from tests.service.world import call_function, say


async def searching(given: Stage, **body: JSON) -> str:
    """Begin a response whose search waits at the gate `one`; return its id."""
    given.search.gates["one"] = asyncio.Event()
    given.brain.replies["Hi"] = [search(), say("Not reached.")]
    given.create("Hi", tools=[SEARCH], **body)
    created = await given.until("response.created", body.get("stream_id"))
    await given.search.reached("begin ws_0")
    response_id: str = created["response"]["id"]
    return response_id


@pytest.mark.parametrize("lane", [None, "agent_1"])
@pytest.mark.parametrize("store", [False, True])
def test_a_response_ends_between_its_model_calls_and_its_successor_begins(
    lane: str | None, store: bool
) -> None:
    async def scenario(given: Stage) -> None:
        named: JSONObject = {} if lane is None else {"stream_id": lane}
        first = await searching(given, store=store, instructions="Be brief.", max_tool_calls=5, **named)
        given.steer(first, "Stop")
        accepted = await given.until("response.steer.accepted", lane)
        assert accepted["steer"] == {"id": accepted["steer"]["id"], "previous_response_id": first}
        assert accepted["steer"]["id"].startswith("steer_")
        assert len(accepted["steer"]["id"]) == len("steer_") + 32
        given.search.gates["one"].set()
        steered = (await given.until("response.incomplete", lane))["response"]
        assert steered["incomplete_details"] == {"reason": "steered"}
        assert [item["type"] for item in steered["output"]] == ["web_search_call"]
        second = (await given.until("response.completed", lane))["response"]
        assert second["previous_response_id"] == first
        assert (second["instructions"], second["max_tool_calls"]) == ("Be brief.", 5)
        assert [tool["type"] for tool in second["tools"]] == ["web_search"]
        assert second["store"] == store
        kinds = ["created", "steer.accepted", "incomplete", "created", "completed"]
        assert given.kinds(lane) == kinds
        assert given.kinds(None if lane else "other") == []
        roles = [role for role, _ in given.brain.told("Stop")]
        assert roles == ["system", "user", "assistant", "tool", "user"]
        assert len(given.brain.requests) == 2
        third = await given.ask("And now?", previous_response_id=second["id"], **named)
        assert third["output"][0]["content"][0]["text"] == "re: And now?"
        assert ("user", "Stop") in given.brain.told("And now?")

    staged(scenario)


def test_a_final_answer_is_completed_before_its_successor() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.create("Hi")
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Also this")
        given.steer(first, [{"role": "user", "content": [{"type": "input_text", "text": "and that"}]}])
        await given.until("response.steer.accepted", count=2)
        given.brain.gates["Hi"].set()
        await given.until("response.completed", count=2)
        kinds = ["created", "steer.accepted", "steer.accepted", "completed", "created", "completed"]
        assert given.kinds() == kinds
        said = [content for role, content in given.brain.told("and that") if role == "user"]
        assert said == ["Hi", "Also this", "and that"]

    staged(scenario)


def test_input_waits_for_the_output_of_the_clients_function() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.brain.replies["Hi"] = [call_function("call_1")]
        given.create("Hi", tools=[F])
        first = (await given.until("response.created"))["response"]["id"]
        for text in ("Stop", "Really"):
            given.steer(first, text)
        await given.until("response.steer.accepted", count=2)
        given.brain.gates["Hi"].set()
        pending = [await given.until("response.steer.pending", count=number) for number in (1, 2)]
        ids = [each["steer"]["id"] for each in given.frames if each["type"] == "response.steer.accepted"]
        assert [each["steer"]["id"] for each in pending] == ids
        for each in pending:
            assert each["reason"] == "waiting_for_required_input"
            (stub,) = each["required_input"]
            assert stub == {"type": "function_call_output", "call_id": "call_1", "name": "f"}
        given.steer(first, "Late")
        refused = await given.until("response.steer.failed")
        assert failure(refused) == ("response_already_completed", "Late")
        output = pending[0]["required_input"][0] | {"output": "42"}
        second = await given.ask([output], previous_response_id=first, instructions="Other.")
        assert second["instructions"] == "Other."
        assert second["tools"] == []
        assert [role for role, _ in given.brain.told("Really")][:3] == ["system", "user", "assistant"]
        assert [content for role, content in given.brain.told("Really") if role in ("tool", "user")] == [
            "Hi",
            "42",
            "Stop",
            "Really",
        ]

    staged(scenario)


def test_a_request_that_came_first_takes_the_input() -> None:
    """The input isn't reported as pending then."""

    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.brain.replies["Hi"] = [call_function("call_1")]
        given.create("Hi", tools=[F])
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        await given.until("response.steer.accepted")
        output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        given.create([output], previous_response_id=first)
        given.brain.gates["Hi"].set()
        await given.until("response.completed", count=2)
        assert given.kinds() == ["created", "steer.accepted", "completed", "created", "completed"]
        assert ("user", "Stop") in given.brain.told("Stop")

    staged(scenario)


@pytest.mark.parametrize(
    "checks",
    [{"moderation": {"model": "words", "policy": {"input": {"mode": "block"}}}}, {"guardrails": ["words"]}],
    ids=["moderation", "guardrails"],
)
def test_the_checks_of_a_response_judge_its_steering_input(checks: JSONObject) -> None:
    async def scenario(given: Stage) -> None:
        first = await searching(given, **checks)
        given.steer(first, "Darn!")
        await given.until("response.steer.accepted")
        given.search.gates["one"].set()
        steered = (await given.until("response.incomplete"))["response"]
        assert steered["incomplete_details"] == {"reason": "steered"}
        second = (await given.until("response.incomplete", count=2))["response"]
        assert second["previous_response_id"] == first
        assert second["incomplete_details"] == {"reason": "content_filter"}
        assert second["moderation"]["input"]["flagged"] is True
        assert len(given.brain.requests) == 1

    staged(scenario)


def test_responses_that_this_connection_does_not_run() -> None:
    async def scenario(given: Stage) -> None:
        given.steer("resp_unknown", "Stop")
        event = await given.until("response.steer.failed")
        assert failure(event) == ("response_not_found", "Stop")
        assert "id" not in event["steer"]
        assert event["sequence_number"] == 0
        given.brain.replies["fails"] = [UpstreamUnreachable("m")]
        given.create("fails", stream_id="a")
        failed = (await given.until("response.failed", "a"))["response"]["id"]
        given.steer(failed, "Stop")
        assert failure(await given.until("response.steer.failed", "a")) == ("response_not_active", "Stop")
        done = await given.ask("Hi")
        given.steer(done["id"], "Stop")
        event = await given.until("response.steer.failed", count=2)
        assert failure(event) == ("response_already_completed", "Stop")

    staged(scenario)


@pytest.mark.parametrize("kind", ["conversation", "compaction"])
def test_responses_that_cannot_be_steered(kind: str) -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        body: JSONObject = {"context_management": [{"type": "compaction", "compact_threshold": 5000}]}
        if kind == "conversation":
            conversation = await given.conversation()
            body = {"conversation": conversation, "store": True}
        given.create("Hi", **body)
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        event = await given.until("response.steer.failed")
        assert failure(event) == ("steering_not_supported", "Stop")
        given.brain.gates["Hi"].set()
        await given.until("response.completed")

    staged(scenario)


@pytest.mark.parametrize("bound", ["count", "size"])
def test_waiting_input_is_bounded(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if bound == "size":
        monkeypatch.setattr(steering, "MAX_STEER_SIZE", 100)

    async def scenario(given: Stage) -> None:
        most = steering.MAX_STEERS if bound == "count" else 4
        given.brain.hold("Hi")
        given.create("Hi")
        first = (await given.until("response.created"))["response"]["id"]
        for number in range(most + 1):
            given.steer(first, f"{number:0{23 if bound == 'size' else 1}}")
        event = await given.until("response.steer.failed")
        assert event["error"]["code"] == "too_many_pending_steers"
        assert int(event["steer"]["input"]) == most
        given.brain.gates["Hi"].set()
        await given.until("response.completed", count=2)
        assert given.kinds().count("steer.accepted") == most

    staged(scenario)


@pytest.mark.parametrize("end", ["failed", "incomplete"])
def test_input_is_returned_when_its_response_ends_otherwise(end: str) -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.brain.replies["Hi"] = [say("It is", finish="length" if end == "incomplete" else "error")]
        given.create("Hi")
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        accepted = await given.until("response.steer.accepted")
        given.brain.gates["Hi"].set()
        event = await given.until("response.steer.failed")
        errors = ["error"] if end == "failed" else []
        assert given.kinds() == ["created", "steer.accepted", *errors, end, "steer.failed"]
        assert event["steer"] == accepted["steer"] | {"input": "Stop"}
        assert event["error"]["code"] == "response_not_active"

    staged(scenario)


def test_a_successor_that_cannot_be_created() -> None:
    """The parent stays in memory, so that the client can continue it with the input."""

    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.create("Hi")
        first = (await given.until("response.created"))["response"]["id"]
        part = {"type": "input_file", "file_id": "file-1"}
        given.steer(first, [{"role": "user", "content": [part]}])
        await given.until("response.steer.accepted")
        given.brain.gates["Hi"].set()
        event = await given.until("response.steer.failed")
        assert given.kinds() == ["created", "steer.accepted", "completed", "steer.failed"]
        assert failure(event) == ("successor_creation_failed", [{"role": "user", "content": [part]}])
        assert (await given.ask("Next", previous_response_id=first))["status"] == "completed"

    staged(scenario)


def test_a_request_that_fails_returns_the_input_of_its_parent() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.brain.replies["Hi"] = [call_function("call_1")]
        given.create("Hi", tools=[F])
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        await given.until("response.steer.accepted")
        given.brain.gates["Hi"].set()
        await given.until("response.steer.pending")
        given.create("x", previous_response_id=first, model="none")
        error = await given.until("error")
        assert error["error"]["code"] == "model_not_found"
        event = await given.until("response.steer.failed")
        assert failure(event) == ("successor_creation_failed", "Stop")
        given.create("x", previous_response_id=first)
        error = await given.until("error", count=2)
        assert error["error"]["code"] == "previous_response_not_found"

    staged(scenario)


def test_a_lane_that_moves_on_returns_the_input() -> None:
    """A fork on another lane doesn't."""

    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.brain.replies["Hi"] = [call_function("call_1")]
        given.create("Hi", tools=[F])
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        await given.until("response.steer.accepted")
        given.brain.gates["Hi"].set()
        await given.until("response.steer.pending")
        output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        await given.ask([output], previous_response_id=first, stream_id="fork")
        assert "steer.failed" not in given.kinds()
        await given.ask("Something else")
        event = await given.until("response.steer.failed")
        assert failure(event) == ("response_not_active", "Stop")
        kinds = ["created", "steer.accepted", "completed", "steer.pending", "steer.failed", "created"]
        assert given.kinds() == [*kinds, "completed"]

    staged(scenario)


def test_a_successor_can_be_steered_too() -> None:
    async def scenario(given: Stage) -> None:
        texts = ["Hi", "a", "b", "c"]
        given.brain.hold(*texts)
        given.create("Hi", stream_id="lane")
        for number, text in enumerate(texts[1:], start=1):
            created = await given.until("response.created", "lane", number)
            given.steer(created["response"]["id"], text)
            await given.until("response.steer.accepted", "lane", number)
            given.brain.gates[texts[number - 1]].set()
        given.brain.gates["c"].set()
        last = (await given.until("response.completed", "lane", 4))["response"]
        assert last["output"][0]["content"][0]["text"] == "re: c"
        said = [content for role, content in given.brain.told("c") if role == "user"]
        assert said == texts

    staged(scenario)


def test_a_client_that_leaves_ends_the_successor_too() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi", "Stop")
        given.create("Hi", store=True)
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        await given.until("response.steer.accepted")
        given.brain.gates["Hi"].set()
        second = (await given.until("response.created", count=2))["response"]["id"]
        await given.leave()
        assert await given.statuses(first, second) == ["completed", "cancelled"]
        assert given.brain.running == []

    staged(scenario)


def test_a_fault_of_the_server_returns_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.create("Hi")
        first = (await given.until("response.created"))["response"]["id"]
        given.steer(first, "Stop")
        await given.until("response.steer.accepted")

        def broken(*args: object) -> None:
            raise ZeroDivisionError("an inner detail")

        monkeypatch.setattr(Run, "turn", broken)
        given.brain.gates["Hi"].set()
        assert failure(await given.until("response.steer.failed")) == ("response_not_active", "Stop")
        assert given.kinds() == ["created", "steer.accepted", "completed", "error", "steer.failed"]

    staged(scenario)
