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


def test_long_content_is_cut() -> None:
    output = {"type": "program_output", "call_id": "c", "status": "completed", "result": "x" * 100_000}
    message = as_message(msgspec.convert(output, Item))
    assert message is not None
    assert message.content == f"[Output of the program: {'x' * 1000}...]"


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
        item("program"),
        FunctionCallOutput(call_id="a", output="done"),
        item("output of a program"),
        Message(role="assistant", content="Done."),
    ]
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert at_once(translate_items(items, Capabilities())) == [
        {"role": "assistant", "content": "[Program: f()]", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"role": "user", "content": "[Output of the program: 1]"},
        {"role": "assistant", "content": "Done."},
    ]
