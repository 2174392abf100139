import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.service.items import decode_item
from antiphon.service.responses.steering import is_steerable, required_input, successor, with_steering
from antiphon.tools.registry import open_tools
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSON, JSONObject
from tests.service.world import wire

assert open_tools is not None  # Its module registers the kinds of calls that clients answer.


def items(*given: JSONObject) -> list[Item]:
    return [decode_item(msgspec.json.encode(each).decode()) for each in given]


OWED: list[tuple[JSONObject, JSONObject]] = [
    (
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "name": "f"},
    ),
    (
        {"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": ""},
        {"type": "custom_tool_call_output", "call_id": "call_1"},
    ),
    (
        {"type": "apply_patch_call", "id": "apc_1", "call_id": "call_1", "status": "completed"}
        | {"operation": {"type": "delete_file", "path": "a"}},
        {"type": "apply_patch_call_output", "call_id": "call_1"},
    ),
    (
        {"type": "mcp_approval_request", "id": "mcpr_1", "name": "f", "arguments": "", "server_label": "s"},
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1"},
    ),
]


@pytest.mark.parametrize(("call", "stub"), OWED, ids=lambda each: each["type"])
def test_stubs_of_required_input(call: JSONObject, stub: JSONObject) -> None:
    assert wire(required_input(items(call))) == [stub]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "assistant", "content": []},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "async": True},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ],
)
def test_items_that_need_no_input(item: JSONObject) -> None:
    assert required_input(items(item)) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, True),
        ({"store": False, "tools": [{"type": "web_search"}]}, True),
        ({"conversation": "conv_1"}, False),
        ({"context_management": [{"type": "compaction"}]}, False),
        ({"input": ["compaction_trigger"]}, False),
        ({"generate": False}, False),
        ({"prompt_cache_options": {"prewarm": True}}, False),
    ],
)
def test_requests_that_allow_steering(body: JSONObject, expected: bool) -> None:
    given = {"type": "response.create", "model": "m", "input": "Hi"} | body
    if isinstance(given["input"], list):
        given["input"] = [{"type": "compaction_trigger"}]
    assert is_steerable(bodies.response_create_event.decode(msgspec.json.encode(given))) is expected


@pytest.mark.parametrize("own", ["Then this", [{"role": "user", "content": "Then this"}], []])
def test_steering_input_comes_before_the_input_of_a_request(own: JSON) -> None:
    given = {"type": "response.create", "model": "m", "input": own, "temperature": 0.5}
    request = bodies.response_create_event.decode(msgspec.json.encode(given))
    steered = with_steering(request, [Message(role="user", content="First")])
    assert isinstance(steered.input, list)
    said = [item.content for item in steered.input if isinstance(item, Message)]
    assert said == (["First", "Then this"] if own else ["First"])
    assert steered.temperature == 0.5


def test_a_successor_has_the_settings_of_its_parent_and_no_input() -> None:
    given = {"type": "response.create", "model": "m", "input": "Hi", "temperature": 0.5, "stream_id": "a"}
    request = bodies.response_create_event.decode(msgspec.json.encode(given))
    made = successor(request, "resp_1")
    assert (made.previous_response_id, made.input, made.temperature) == ("resp_1", [], 0.5)
