import json

import pytest

from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.json import JSON, JSONObject
from tests.tools.client.calling import fault, messages, offered, reply

TOOL: JSONObject = {"type": "computer"}
PREVIEW: JSONObject = {
    "type": "computer_use_preview",
    "environment": "browser",
    "display_width": 1024,
    "display_height": 768,
}
CLICK: JSONObject = {"type": "click", "x": 1, "y": 2, "button": "left"}
IMAGE = "data:image/png;base64,AA=="


def test_the_model_is_offered_a_function() -> None:
    [function] = offered(TOOL)
    assert (function["name"], function["parameters"]["required"]) == ("computer", ["actions"])


def test_the_preview_is_a_function_for_one_action() -> None:
    [function] = offered(PREVIEW)
    assert function["name"] == "computer"
    assert "1024 x 768 pixels" in function["description"]
    assert function["parameters"]["required"] == ["type"]


def test_a_call_has_its_actions() -> None:
    made = reply(TOOL, {"actions": [CLICK, {"type": "type", "text": "Hi"}, {"type": "screenshot"}]})
    assert made.types == ["output_item.added", "output_item.done"]
    assert made.events[0]["item"]["status"] == "in_progress"
    assert made.items == [
        {
            "type": "computer_call",
            "id": "cu_0",
            "status": "completed",
            "call_id": "call_up",
            "actions": [CLICK, {"type": "type", "text": "Hi"}, {"type": "screenshot"}],
            "pending_safety_checks": [],
        }
    ]


def test_a_call_of_the_preview_has_one_action() -> None:
    item = reply(PREVIEW, {"type": "scroll", "x": 1, "y": 2, "scroll_y": 300}).items[0]
    assert item["action"] == {"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 300}
    assert "actions" not in item


@pytest.mark.parametrize(
    ("arguments", "actions"),
    [
        ({"type": "click", "x": 1.0, "y": "2"}, [CLICK]),
        ({"action": {"type": "wait", "seconds": 3}}, [{"type": "wait"}]),
        ({"actions": {"type": "wait"}}, [{"type": "wait"}]),
        (
            {"actions": [{"type": "drag", "path": [{"x": 1, "y": 2}, {"x": 3, "y": 4}], "keys": ["SHIFT"]}]},
            [{"type": "drag", "path": [{"x": 1, "y": 2}, {"x": 3, "y": 4}], "keys": ["SHIFT"]}],
        ),
    ],
)
def test_arguments_that_deviate_from_the_schema(arguments: JSON, actions: list[JSONObject]) -> None:
    assert reply(TOOL, arguments).items[0]["actions"] == actions


@pytest.mark.parametrize(
    "arguments",
    [
        *("click", "{}", {"actions": []}, {"actions": ["click"]}, {"actions": [{"type": "hover"}]}),
        *({"actions": [{"type": "click", "x": 1}]}, {"actions": [{"type": "click", "x": 1, "y": "top"}]}),
    ],
)
def test_invalid_actions_fail_the_reply(arguments: JSON) -> None:
    assert "the call of the tool 'computer' has invalid arguments" in fault(TOOL, arguments)


def test_a_call_that_is_cut_off_has_no_actions() -> None:
    item = reply(TOOL, {"actions": [CLICK]}, cut=20).items[0]
    assert (item["status"], item["actions"]) == ("incomplete", [])


CALL: JSONObject = {
    "type": "computer_call",
    "call_id": "c",
    "status": "completed",
    "pending_safety_checks": [{"id": "s", "code": "x", "message": "Look."}],
}
OUTPUT: JSONObject = {
    "type": "computer_call_output",
    "call_id": "c",
    "output": {"type": "computer_screenshot", "image_url": IMAGE},
    "acknowledged_safety_checks": [{"id": "s"}],
}


@pytest.mark.parametrize(
    ("given", "arguments"), [({"actions": [CLICK]}, {"actions": [CLICK]}), ({"action": CLICK}, CLICK)]
)
def test_a_call_and_its_screenshot_are_a_function_call_and_an_image(
    given: JSONObject, arguments: JSON
) -> None:
    asked, answered, shown = messages(CALL | given, OUTPUT)
    function = asked["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == ("computer", arguments)
    assert answered == {"role": "tool", "tool_call_id": "c", "content": "[image]"}
    assert shown == {"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE}}]}


def test_a_backend_without_images_receives_a_text() -> None:
    made = messages(CALL | {"actions": [CLICK]}, OUTPUT, capabilities=Capabilities(images=False))
    assert made[1:] == [{"role": "tool", "tool_call_id": "c", "content": "[image]"}]


def test_a_screenshot_must_be_an_image() -> None:
    output = OUTPUT | {"output": {"type": "computer_screenshot"}}
    with pytest.raises(InvalidRequest, match="image_url"):
        messages(CALL | {"actions": [CLICK]}, output)
