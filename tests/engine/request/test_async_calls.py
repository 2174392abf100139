"""Calls of `async` tools in a context: their outputs may come later, or never."""

from typing import Literal

import pytest

from antiphon.engine.request.messages import translate_items
from antiphon.engine.request.truncation import shortened
from antiphon.engine.sealed import Sealed, SealedCompaction
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage
from antiphon.wire.content import InputImage, InputText, ToolOutputPart
from antiphon.wire.items import (
    Compaction,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    Message,
)
from tests.engine.request.test_messages import assistant, call, output, tool, tool_call, user
from tests.engine.seals import OpenSeal
from tests.support.immediate import at_once

PENDING = "The result is pending. It arrives in a later message; go on without it."
SEALED = Sealed(OpenSeal())


def translated(*items: Item) -> list[ChatMessage]:
    return at_once(translate_items(list(items), Capabilities(), sealed=SEALED))


def pending(call_id: str, status: Literal["completed", "incomplete"] = "completed") -> FunctionCall:
    return FunctionCall(call_id=call_id, name="f", arguments="{}", status=status, is_async=True)


def test_a_call_without_output_is_pending() -> None:
    messages = translated(user("Hi"), pending("c1"), assistant("It runs."), user("Good."))
    assert messages == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "", "tool_calls": [tool_call("c1")]},
        tool("c1", PENDING),
        {"role": "assistant", "content": "It runs."},
        {"role": "user", "content": "Good."},
    ]


def test_only_the_flag_makes_a_call_without_output_legal() -> None:
    for flag in (None, False):
        with pytest.raises(InvalidRequest, match="No tool output found for function call c1"):
            translated(FunctionCall(call_id="c1", name="f", arguments="{}", is_async=flag))


def test_an_output_is_a_message_at_its_own_place() -> None:
    messages = translated(pending("c1"), assistant("It runs."), output("c1", "42"), user("And?"))
    assert messages == [
        {"role": "assistant", "content": "", "tool_calls": [tool_call("c1")]},
        tool("c1", PENDING),
        {"role": "assistant", "content": "It runs."},
        {"role": "user", "content": "The result of the call c1 of f:\n42"},
        {"role": "user", "content": "And?"},
    ]


def test_an_output_of_several_parts_is_one_message() -> None:
    parts: list[ToolOutputPart] = [
        InputText("See:"),
        InputImage(image_url="data:image/png;base64,AA==", detail="low"),
    ]
    item = FunctionCallOutput(call_id="c1", output=parts)
    assert translated(pending("c1"), assistant("It runs."), item)[-1] == {
        "role": "user",
        "content": [
            {"type": "text", "text": "The result of the call c1 of f:"},
            {"type": "text", "text": "See:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        ],
    }


def test_calls_of_both_kinds_in_one_reply() -> None:
    custom = CustomToolCall(call_id="c3", name="g", input="x", is_async=True)
    given = CustomToolCallOutput(call_id="c3", output="late")
    messages = translated(pending("c1"), call("c2"), custom, output("c2"), assistant("So."), given)
    assert [message["role"] for message in messages] == [
        "assistant",
        "tool",
        "tool",
        "tool",
        "assistant",
        "user",
    ]
    assert [message["content"] for message in messages[1:]] == [
        PENDING,
        "done",
        PENDING,
        "So.",
        "The result of the call c3 of g:\nlate",
    ]


def test_an_id_can_be_used_again_by_a_call_that_the_model_waits_for() -> None:
    messages = translated(pending("c1"), output("c1", "one"), call("c1"), output("c1", "two"))
    assert [message["content"] for message in messages] == [
        "",
        PENDING,
        "The result of the call c1 of f:\none",
        "",
        "two",
    ]


def test_a_cut_call_without_output_is_omitted() -> None:
    assert translated(user("Hi"), pending("c1", "incomplete")) == [{"role": "user", "content": "Hi"}]


def test_a_second_output_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="Duplicate tool output found for function call c1"):
        translated(pending("c1"), output("c1"), output("c1"))


def test_an_output_whose_call_was_compacted_is_a_message() -> None:
    compaction = Compaction(encrypted_content=SEALED.seal(SealedCompaction("f runs.")))
    assert translated(compaction, output("c1", "42"))[-1] == {
        "role": "user",
        "content": "The result of the call c1 of a tool:\n42",
    }
    with pytest.raises(InvalidRequest, match="No tool call found"):
        translated(compaction, output("c1"), output("c1"))
    with pytest.raises(InvalidRequest, match="No tool call found"):
        translated(output("c1"), compaction)


def test_truncation_waits_for_outputs_that_exist_only() -> None:
    pairs: list[Item] = [pending("c1"), user("1"), output("c1"), user("2")]
    assert [len(each) for each in shortened(pairs)] == [1]
    alone: list[Item] = [pending("c1"), user("1"), Message(role="user", content="2")]
    assert [len(each) for each in shortened(alone)] == [2, 1]
