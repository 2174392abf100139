import json

import pytest

from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject
from tests.tools.client.calling import fault, messages, offered, reply

TOOL: JSONObject = {"type": "local_shell"}
CALL: JSONObject = {
    "type": "local_shell_call",
    "call_id": "c",
    "status": "completed",
    "action": {"type": "exec", "command": ["ls", "-a"], "env": {}, "working_directory": "/tmp"},
}


def test_the_model_is_offered_a_function() -> None:
    [function] = offered(TOOL)
    assert (function["name"], function["parameters"]["required"]) == ("local_shell", ["command"])


def test_a_call_has_no_deltas() -> None:
    made = reply(TOOL, {"command": ["ls", "-a", "~"]})
    assert made.types == ["output_item.added", "output_item.done"]
    assert made.items == [
        {
            "type": "local_shell_call",
            "id": "lsh_0",
            "status": "completed",
            "call_id": "call_up",
            "action": {"type": "exec", "command": ["ls", "-a", "~"], "env": {}},
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"command": "ls | wc"}, {"command": ["bash", "-lc", "ls | wc"], "env": {}}),
        (
            {"command": ["ls"], "env": {"A": "b", "C": 1}, "timeout_ms": 9, "user": "me", "other": 1},
            {"command": ["ls"], "env": {"A": "b"}, "timeout_ms": 9, "user": "me"},
        ),
        ({"command": ["ls"], "env": None, "working_directory": ""}, {"command": ["ls"], "env": {}}),
    ],
)
def test_arguments_that_deviate_from_the_schema(arguments: JSON, action: JSONObject) -> None:
    assert reply(TOOL, arguments).items[0]["action"] == {"type": "exec", **action}


@pytest.mark.parametrize("arguments", ["ls", "{}", {"command": []}, {"command": [1]}, {"command": ""}])
def test_arguments_without_a_command_fail_the_reply(arguments: JSON) -> None:
    assert "the call of the tool 'local_shell' has invalid arguments" in fault(TOOL, arguments)


def test_a_call_that_is_cut_off_is_incomplete() -> None:
    made = reply(TOOL, {"command": ["ls", "-a"]}, cut=15)
    assert made.items[0]["status"] == "incomplete"
    assert made.items[0]["action"]["command"] == []


def test_a_call_and_its_output_are_a_function_call_for_the_model() -> None:
    asked, answered = messages(CALL, {"type": "local_shell_call_output", "call_id": "c", "output": "a.txt"})
    function = asked["tool_calls"][0]["function"]
    assert function["name"] == "local_shell"
    assert json.loads(function["arguments"]) == {"command": ["ls", "-a"], "working_directory": "/tmp"}
    assert answered == {"role": "tool", "tool_call_id": "c", "content": "a.txt"}


def test_a_missing_output_has_the_text_of_api_openai_com() -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(CALL)
    assert caught.value.message == "No tool output found for local shell call c."
