"""Calls of tools that only other servers have, as short texts in a chat."""

import msgspec
import pytest

from antiphon.engine.request.foreign import as_message
from antiphon.engine.request.messages import translate_items
from antiphon.settings.backends import Capabilities
from antiphon.wire.content import InputText
from antiphon.wire.items import FunctionCall, FunctionCallOutput, Item, Message, Reasoning
from antiphon.wire.json import JSONObject
from tests.support.immediate import at_once

ITEMS: dict[str, tuple[JSONObject, str, str]] = {
    "image": (
        {"type": "image_generation_call", "revised_prompt": "A cat.", "result": "AA=="},
        "assistant",
        "[Generated image: A cat.]",
    ),
    "image without prompt": (
        {"type": "image_generation_call", "status": "completed", "result": "AA==", "revised_prompt": None},
        "assistant",
        "[Generated image]",
    ),
    "failed image": (
        {"type": "image_generation_call", "status": "failed", "result": None},
        "assistant",
        "[Image generation failed]",
    ),
    "computer": (
        {
            "type": "computer_call",
            "call_id": "c",
            "action": {"type": "click", "x": 1, "y": 2},
            "pending_safety_checks": [],
        },
        "assistant",
        "[Computer: click]",
    ),
    "computer with several actions": (
        {
            "type": "computer_call",
            "call_id": "c",
            "actions": [{"type": "click"}, {"type": "type", "text": "secret"}],
            "pending_safety_checks": [],
        },
        "assistant",
        "[Computer: click, type]",
    ),
    "screenshot": (
        {
            "type": "computer_call_output",
            "call_id": "c",
            "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA=="},
        },
        "user",
        "[Screenshot of the computer]",
    ),
    "local shell": (
        {
            "type": "local_shell_call",
            "call_id": "c",
            "status": "completed",
            "action": {"type": "exec", "command": ["ls", "-la"], "env": {}},
        },
        "assistant",
        "[Shell: ls -la]",
    ),
    "output of a local shell": (
        {"type": "local_shell_call_output", "output": "a.txt"},
        "user",
        "[Output of the shell: a.txt]",
    ),
    "shell": (
        {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls", "pwd"]}},
        "assistant",
        "[Shell: ls\npwd]",
    ),
    "output of a shell": (
        {
            "type": "shell_call_output",
            "call_id": "c",
            "output": [
                {"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
                {"stdout": "", "stderr": "no", "outcome": {"type": "exit", "exit_code": 2}},
                {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
            ],
        },
        "user",
        "[Output of the shell: a.txt\nno\nexit code 2\ntimeout]",
    ),
    "empty output of a shell": (
        {"type": "shell_call_output", "call_id": "c", "output": []},
        "user",
        "[Output of the shell]",
    ),
    "patch": (
        {
            "type": "apply_patch_call",
            "call_id": "c",
            "status": "completed",
            "operation": {"type": "update_file", "path": "a.py", "diff": "@@"},
        },
        "assistant",
        "[Patch: update_file a.py]",
    ),
    "output of a patch": (
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "No such file."},
        "user",
        "[Output of the patch: failed No such file.]",
    ),
    "output of a patch without text": (
        {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
        "user",
        "[Output of the patch: completed]",
    ),
    "program": (
        {"type": "program", "call_id": "c", "code": "f()", "fingerprint": "x"},
        "assistant",
        "[Program: f()]",
    ),
    "output of a program": (
        {"type": "program_output", "call_id": "c", "result": "1", "status": "completed"},
        "user",
        "[Output of the program: 1]",
    ),
}


def item(name: str) -> Item:
    found: Item = msgspec.convert(ITEMS[name][0], Item)
    return found


@pytest.mark.parametrize("name", ITEMS)
def test_a_call_is_the_models_text_and_an_output_the_users(name: str) -> None:
    _, role, text = ITEMS[name]
    messages = at_once(translate_items([item(name)], Capabilities()))
    assert messages == [{"role": role, "content": text}]


@pytest.mark.parametrize(
    "action", [{}, {"command": None}, {"command": "ls"}, {"commands": [["ls"]]}, {"commands": {}}]
)
def test_actions_of_any_form_are_accepted(action: JSONObject) -> None:
    for kind in ("local_shell_call", "shell_call"):
        call = {"type": kind, "call_id": "c", "status": "completed", "action": action}
        message = as_message(msgspec.convert(call, Item))
        assert message is not None
        assert str(message.content).startswith("[Shell")


def test_long_content_is_cut() -> None:
    output = {"type": "local_shell_call_output", "output": "x" * 100_000}
    message = as_message(msgspec.convert(output, Item))
    assert message is not None
    assert message.content == f"[Output of the shell: {'x' * 1000}...]"


def test_other_items_are_not_foreign() -> None:
    others: list[Item] = [
        Message(role="user", content=[InputText("Hi")]),
        FunctionCall(call_id="a", name="f", arguments="{}"),
        Reasoning(summary=[]),
    ]
    assert [as_message(other) for other in others] == [None, None, None]


def test_a_foreign_call_between_a_function_and_its_output() -> None:
    items: list[Item] = [
        FunctionCall(call_id="a", name="f", arguments="{}"),
        item("shell"),
        FunctionCallOutput(call_id="a", output="done"),
        item("empty output of a shell"),
        Message(role="assistant", content="Done."),
    ]
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert at_once(translate_items(items, Capabilities())) == [
        {"role": "assistant", "content": "[Shell: ls\npwd]", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"role": "user", "content": "[Output of the shell]"},
        {"role": "assistant", "content": "Done."},
    ]
