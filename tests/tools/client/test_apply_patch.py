import json

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.tools.client.calling import fault, messages, offered, reply

TOOL: JSONObject = {"type": "apply_patch"}
CREATE: JSONObject = {"type": "create_file", "path": "a.md", "diff": "+# A\n+\n"}


def test_the_model_is_offered_a_function() -> None:
    [function] = offered(TOOL)
    assert (function["name"], function["parameters"]["required"]) == ("apply_patch", ["type", "path"])


@pytest.mark.parametrize("by", [1, 4, 1000])
def test_the_diff_streams_in_the_order_of_api_openai_com(by: int) -> None:
    made = reply(TOOL, CREATE, by=by)
    ends = ["apply_patch_call_operation_diff.done", "output_item.done"]
    assert [kind for kind in made.types if not kind.endswith("delta")] == ["output_item.added", *ends]
    assert "apply_patch_call_operation_diff.delta" in made.types
    begun = {
        "type": "apply_patch_call",
        "id": "apc_0",
        "status": "in_progress",
        "call_id": "call_up",
        "operation": CREATE | {"diff": ""},
    }
    assert made.events[0]["item"] == begun
    assert made.items == [begun | {"status": "completed", "operation": CREATE}]


def test_the_diff_reaches_the_client_before_the_call_ends() -> None:
    made = reply(TOOL, CREATE, by=1)
    deltas = [event["delta"] for event in made.events if event["type"].endswith("diff.delta")]
    assert deltas == list("+# A\n+\n")


def test_a_diff_before_its_path_waits_for_it() -> None:
    made = reply(TOOL, {"diff": "+x", "type": "update_file", "path": "a"}, by=1)
    assert [event.get("delta") for event in made.events] == [None, "+x", None, None]


def test_a_deletion_has_no_diff() -> None:
    made = reply(TOOL, {"type": "delete_file", "path": "a", "diff": "-x"})
    assert made.types == ["output_item.added", "output_item.done"]
    assert made.items[0]["operation"] == {"type": "delete_file", "path": "a"}


def test_an_empty_file_has_an_empty_diff() -> None:
    made = reply(TOOL, {"type": "create_file", "path": "a"})
    assert made.items[0]["operation"] == {"type": "create_file", "path": "a", "diff": ""}
    assert made.types[1:] == ["apply_patch_call_operation_diff.done", "output_item.done"]


@pytest.mark.parametrize(
    "arguments",
    [
        "+x",
        {"path": "a", "diff": "+x"},
        {"type": "rename", "path": "a"},
        {"type": ["update_file"], "path": "a"},
        {"type": "update_file", "diff": "+x"},
        {"type": "update_file", "path": "", "diff": "+x"},
        {"type": "update_file", "path": "a", "diff": ["+x"]},
    ],
)
def test_invalid_arguments_fail_the_reply(arguments: JSON) -> None:
    assert "the call of the tool 'apply_patch' has invalid arguments" in fault(TOOL, arguments)


@pytest.mark.parametrize("cut", [0, 5, 20, 40, 55])
def test_a_call_that_is_cut_off_remains_in_progress(cut: int) -> None:
    [item] = reply(TOOL, CREATE, cut=cut).items
    assert item["status"] == "in_progress"
    assert CREATE["diff"].startswith(item["operation"]["diff"])


def call(status: str = "completed") -> JSONObject:
    return {"type": "apply_patch_call", "call_id": "c", "status": status, "operation": CREATE}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"status": "completed"}, "completed"),
        ({"status": "completed", "output": None}, "completed"),
        ({"status": "failed", "output": "No such file."}, "failed\nNo such file."),
    ],
)
def test_a_call_and_its_output_are_a_function_call_for_the_model(output: JSONObject, text: str) -> None:
    asked, answered = messages(call(), {"type": "apply_patch_call_output", "call_id": "c", **output})
    function = asked["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("apply_patch", CREATE)
    assert answered == {"role": "tool", "tool_call_id": "c", "content": text}


def test_a_call_in_progress_has_its_output_if_the_client_sends_one() -> None:
    output = {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"}
    assert len(messages(call("in_progress"), output)) == 2
    assert messages(call("in_progress")) == []
