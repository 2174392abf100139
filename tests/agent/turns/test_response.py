"""Steps of a response, over recorded streams and over the streams of servers that send less."""

import asyncio
import json
from collections.abc import Iterable

import httpx2
import pytest

from antiphon.agent import (
    AgentEvent,
    StepProgress,
    StepStarted,
    ToolCallCompletedDelta,
    ToolCallDelta,
    ToolCallIssuedDelta,
    TurnCompleted,
    TurnFailed,
)
from antiphon.agent.fields import list_field, text_field
from antiphon.agent.plan import AgentSettings
from antiphon.agent.turns.turn import TurnRun
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON, JSONObject
from tests.agent.scripted import Script, created, ended, message
from tests.agent.wellformed import check, executions, inferences, shape, text_of
from tests.recording.asking import asking, catalogue, in_scope
from tests.recording.samples import calls_in, recordings
from tests.support.shared import is_there
from tests.wire.recordings import exchanges, recording_names

STREAMS = {
    exchange.name: exchange.events
    for name in (recording_names() if is_there() else [])
    for exchange in exchanges(name)
    if exchange.method == "POST" and exchange.events
}
HOSTED = ("web_search_call", "code_interpreter_call", "mcp_list_tools", "mcp_call")


def turn_of(stream: Iterable[object]) -> list[AgentEvent]:
    """Return the events of a turn with one response."""
    turn = TurnRun(AgentSettings[None](model="m"), "Hello", None)
    events: list[AgentEvent] = [turn.start([])]
    assert turn.next_request() is not None
    for event in stream:
        events += turn.feed(event)
    return [*events, turn.end()]


def issued(events: list[AgentEvent]) -> list[ToolCallIssuedDelta]:
    deltas = [event.delta for event in events if isinstance(event, StepProgress)]
    return [delta for delta in deltas if isinstance(delta, ToolCallIssuedDelta)]


@pytest.mark.shared
def test_the_recordings_have_the_streams_that_these_tests_are_about() -> None:
    items = [event["item"] for stream in STREAMS.values() for event in stream if "item" in event]
    kinds = {item["type"] for item in items}
    assert {"message", "reasoning", "function_call", "web_search_call", "mcp_list_tools"} <= kinds
    assert len(STREAMS) >= 25


@pytest.mark.shared
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_each_recorded_stream_is_a_well_formed_turn(stream: list[JSONObject]) -> None:
    events = turn_of(stream)
    last = check(events)
    final = stream[-1].get("response") or {}
    messages = [item for item in list_field(final, "output") if text_field(item, "type") == "message"]
    texts = [text_field(part, "text") for each in messages for part in list_field(each, "content")]
    if final.get("status") == "completed":
        assert isinstance(last, TurnCompleted)
        assert last.final_text == "".join(texts) == text_of(events)
        assert last.response_ids == [final["id"]]
    else:
        assert isinstance(last, TurnFailed)
    hosted = [
        event["item"]
        for event in stream
        if event["type"] == "response.output_item.added"
        and event["item"]["type"]
        in ("web_search_call", "code_interpreter_call", "mcp_list_tools", "mcp_call")
    ]
    executed = {each.tool_calls[0].call_id: each.tool_responses[0] for each in executions(events)}
    assert sorted(executed) == sorted(item["id"] for item in hosted)
    # A call without a result in the stream has the one of the final response.
    results = {item["id"]: item for item in list_field(final, "output")}
    assert all(executed[key]["content"] == item for key, item in results.items() if key in executed)
    calls = [item for item in list_field(final, "output") if text_field(item, "type") == "function_call"]
    found = inferences(events)[-1].function_calls
    assert [(each.call_id, each.tool_name, each.arguments) for each in found] == [
        (call["call_id"], call["name"], call["arguments"]) for call in calls
    ]


@pytest.mark.parametrize("openai_form", [True, False])
@pytest.mark.shared
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_the_sdk_gives_the_same_turn_with_and_without_event_lines_and_done(
    stream: list[JSONObject], openai_form: bool
) -> None:
    stream = [event for event in stream if event["type"] != "error"]  # The SDK raises it.
    with Script([stream], openai_form=openai_form).client() as client:
        objects = list(client.responses.create(model="m", input="Hello", stream=True))
    assert len(objects) == len(stream)
    events, plain = turn_of(objects), turn_of(stream)
    check(events)
    assert [type(event) for event in events] == [type(event) for event in plain]
    assert text_of(events) == text_of(plain)
    assert inferences(events)[-1].function_calls == inferences(plain)[-1].function_calls
    assert shape(events) == shape(plain)


def request_of(call: RecordedCall) -> JSONObject:
    """Return the request for a response with a recorded call's messages."""
    items: list[JSONObject] = []
    for each in call.request["messages"]:
        if each["role"] == "tool":
            output = {"type": "function_call_output", "call_id": each["tool_call_id"]}
            items.append({**output, "output": _text(each["content"])})
            continue
        if each.get("content"):
            items.append({"role": each["role"], "content": _text(each["content"])})
        for made in each.get("tool_calls") or ():
            items.append({"type": "function_call", "call_id": made["id"], **made["function"]})
    tools = [{"type": "function", **tool["function"]} for tool in call.request.get("tools") or ()]
    rest = {"temperature": call.request["temperature"]} if "temperature" in call.request else {}
    return {"model": call.request["model"], "input": items, "tools": tools, "stream": True, **rest}


def _text(content: JSON) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@pytest.mark.shared
def test_each_recorded_chat_that_our_server_replays_is_a_well_formed_turn() -> None:
    calls = [call for call in calls_in(recordings("llama-stack")) if call.kind == "chat" and call.streamed]
    seen = {"completed": 0, "failed": 0}

    def note(answer: httpx2.Response) -> None:
        lines = [
            line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")
        ]
        stream = [json.loads(line) for line in lines]
        events = turn_of(stream)
        last = check(events)
        if isinstance(last, TurnCompleted):
            seen["completed"] += 1
            assert last.final_text == text_of(events)
        else:
            seen["failed"] += 1
            assert last.error_message

    async def replay() -> None:
        async with asking(catalogue(recordings("llama-stack"))) as client:
            for call in calls:
                answer = await client.post("/responses", json=request_of(call), headers=in_scope(call.scope))
                if answer.status_code == 200:
                    note(answer)

    asyncio.run(replay())
    assert seen["completed"] > 200, seen


def test_a_hosted_tool_ends_the_inference_step_and_another_one_follows() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    events = turn_of(
        [
            created(),
            {"type": "response.output_text.delta", "delta": "Let me see. "},
            {"type": "response.output_item.added", "item": {**search, "status": "in_progress"}},
            {"type": "response.output_item.done", "item": search},
            {"type": "response.output_text.delta", "delta": "Cold."},
            ended(search, message("Let me see. ", "Cold.")),
        ]
    )
    check(events)
    assert shape(events) == ["inference", "web_search_call", "inference"]
    before, after = inferences(events)
    assert (before.stop_reason, before.text_content) == ("server_tool_call", "Let me see. ")
    assert (after.stop_reason, after.text_content) == ("end_of_turn", "Cold.")
    assert [each["tool_type"] for each in after.server_tool_executions] == ["web_search"]
    (step,) = [event for event in events if isinstance(event, StepStarted) and event.metadata]
    assert step.metadata == {"server_side": True, "tool_type": "web_search", "tool_name": "web_search_call"}
    completed = [event.delta for event in events if isinstance(event, StepProgress)][2]
    assert isinstance(completed, ToolCallCompletedDelta)
    assert completed.result == search


def test_hosted_tools_at_the_same_time_have_a_step_each_and_inference_waits_for_both() -> None:
    one, two = (
        {"type": "mcp_call", "id": f"mcp_{n}", "name": f"tool_{n}", "arguments": "{}"} for n in (1, 2)
    )
    events = turn_of(
        [
            created(),
            {"type": "response.output_item.added", "item": one},
            {"type": "response.output_item.added", "item": two},
            {"type": "response.output_item.done", "item": one},
            {"type": "response.output_item.done", "item": {**two, "error": "no"}},
            {"type": "response.output_text.delta", "delta": "Done."},
            ended(one, two, message("Done.")),
        ]
    )
    check(events)
    assert shape(events) == ["inference", "tool_1", "tool_2", "inference"]
    assert [each.tool_responses[0]["is_error"] for each in executions(events)] == [False, True]


@pytest.mark.parametrize("name", ["response.mcp_call_arguments.delta", "response.mcp_call.arguments.delta"])
def test_argument_deltas_of_an_mcp_call_belong_to_its_step(name: str) -> None:
    call = {"type": "mcp_call", "id": "mcp_1", "name": "find", "arguments": ""}
    events = turn_of(
        [
            created(),
            {"type": "response.output_item.added", "item": call},
            {"type": name, "item_id": "mcp_1", "delta": '{"a":'},
            {"type": name, "item_id": "mcp_1", "delta": "1}"},
            {"type": "response.output_item.done", "item": {**call, "arguments": '{"a":1}'}},
            ended(call, message("One.")),
        ]
    )
    check(events)
    deltas = [event.delta for event in events if isinstance(event, StepProgress)]
    arguments = [each.arguments_delta for each in deltas if isinstance(each, ToolCallDelta)]
    assert arguments == ['{"a":', "1}"]
    (execution,) = executions(events)
    assert execution.tool_calls[0].arguments == '{"a":1}'


def test_a_server_without_item_ids_is_read_by_positions() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": ""}
    events = turn_of(
        [
            created(),
            {"type": "response.output_item.added", "output_index": 0, "item": call},
            {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a":1}'},
            {"type": "response.output_item.done", "output_index": 0, "item": call},
            ended({**call, "arguments": '{"a":1}'}),
        ]
    )
    check(events)
    (step,) = inferences(events)
    assert step.stop_reason == "tool_calls"
    assert [(each.call_id, each.arguments) for each in step.function_calls] == [("call_1", '{"a":1}')]
    assert len(issued(events)) == 1


def test_a_server_that_sends_only_the_end_gives_the_same_turn() -> None:
    events = turn_of([ended(message("Hel", "lo."))])
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert last.final_text == text_of(events) == "Hello."

    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": "{}"}
    events = turn_of([ended(call)])
    check(events)
    assert [each.tool_name for each in issued(events)] == ["add"]
    assert inferences(events)[-1].stop_reason == "tool_calls"


def test_a_server_whose_last_event_has_no_output_gives_the_text_of_the_deltas() -> None:
    events = turn_of([created(), {"type": "response.output_text.delta", "delta": "Hi."}, ended()])
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert last.final_text == "Hi."


@pytest.mark.parametrize("event_type", ["response.incomplete", "response.completed"])
def test_an_incomplete_response_fails_the_turn_with_its_reason(event_type: str) -> None:
    end = ended(message("Hel"), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    events = turn_of(
        [created(), {"type": "response.output_text.delta", "delta": "Hel"}, {**end, "type": event_type}]
    )
    last = check(events)
    assert isinstance(last, TurnFailed)
    assert (last.error_message, last.code) == (
        "The response is incomplete: max_output_tokens.",
        "max_output_tokens",
    )
    (step,) = inferences(events)
    assert (step.stop_reason, step.text_content) == ("incomplete", "Hel")


@pytest.mark.parametrize(
    "error",
    [
        {"type": "error", "error": {"message": "Too long.", "code": "context_length_exceeded"}},
        {"type": "error", "message": "Too long.", "code": "context_length_exceeded"},
        ended(status="failed", error={"message": "Too long.", "code": "context_length_exceeded"}),
    ],
)
def test_an_error_fails_the_turn_once_and_ends_an_open_tool_step(error: JSONObject) -> None:
    search = {"type": "file_search_call", "id": "fs_1", "status": "in_progress"}
    failed = ended(status="failed", error={"message": "Second.", "code": "x"})
    events = turn_of([created(), {"type": "response.output_item.added", "item": search}, error, failed])
    last = check(events)
    assert isinstance(last, TurnFailed)
    assert (last.error_message, last.code) == ("Too long.", "context_length_exceeded")
    (execution,) = executions(events)
    assert execution.tool_responses[0]["is_error"]


def test_a_failure_without_an_error_says_so() -> None:
    last = check(turn_of([created(), ended(status="cancelled")]))
    assert isinstance(last, TurnFailed)
    assert (last.error_message, last.code) == ("The response is cancelled.", "cancelled")


def test_an_approval_request_is_issued_and_ends_the_step() -> None:
    asked = {
        "type": "mcp_approval_request",
        "id": "mcpr_1",
        "server_label": "files",
        "name": "delete",
        "arguments": '{"path":"/"}',
    }
    turn = TurnRun(AgentSettings[None](model="m"), "Hello", None)
    events: list[AgentEvent] = [turn.start([])]
    turn.next_request()
    for event in (created(), {"type": "response.output_item.done", "item": asked}, ended(asked)):
        events += turn.feed(event)
    assert inferences(events)[-1].stop_reason == "approval_request"
    (request,) = turn.approval_requests
    assert (request.id, request.server_label, request.tool_name) == ("mcpr_1", "files", "delete")
    assert [(each.tool_type, each.arguments) for each in issued(events)] == [
        ("mcp_approval_request", '{"path":"/"}')
    ]


def test_unknown_events_and_odd_values_are_skipped() -> None:
    events = turn_of(
        [
            {"type": "response.queued", "response": {"id": "resp_1", "status": "queued"}},
            {"type": "keepalive"},
            {},
            {"type": "response.output_text.delta", "delta": None},
            {"type": "response.output_item.added", "item": None},
            {"type": "response.output_item.done", "item": {"type": "reasoning", "id": "rs_1"}},
            {"type": "response.function_call_arguments.delta", "item_id": "unknown", "delta": "{"},
            ended(message("Hi.")),
        ]
    )
    assert isinstance(check(events), TurnCompleted)
    assert shape(events) == ["inference"]
