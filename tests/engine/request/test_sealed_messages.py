"""Encrypted content as the model receives it: its own reasoning in its own form, and summaries."""

from typing import Literal

import pytest

from antiphon.engine.request.messages import translate_items
from antiphon.engine.request.summary import as_told
from antiphon.engine.sealed import Sealed, SealedCompaction, SealedReasoning
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage, ReasoningDetail
from antiphon.wire.content import ReasoningText, SummaryText
from antiphon.wire.items import Compaction, FunctionCall, FunctionCallOutput, Item, Message, Reasoning
from antiphon.wire.json import JSONObject
from antiphon.wire.transformations import InputTransformation
from tests.engine.seals import OpenSeal
from tests.support.immediate import at_once

BOXES = Sealed(OpenSeal(), "backend/model")
DETAIL = ReasoningDetail(type="reasoning.encrypted", data="QUJD", index=0)
ANSWER = Message(role="assistant", content="42")

Key = Literal["none", "reasoning", "reasoning_content", "reasoning_details"]


def told(*items: Item, key: Key = "none") -> list[ChatMessage]:
    return at_once(translate_items(list(items), Capabilities(reasoning_input=key), sealed=BOXES))


def reasoning(source: str = "backend/model", text: str = "hm", *details: ReasoningDetail) -> Reasoning:
    """Return reasoning of which the client sees only a summary."""
    encrypted = BOXES.seal(SealedReasoning(source, text, list(details)))
    return Reasoning(summary=[SummaryText("short")], encrypted_content=encrypted)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("none", {}),
        ("reasoning", {"reasoning": "hm"}),
        ("reasoning_content", {"reasoning_content": "hm"}),
        (
            "reasoning_details",
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "QUJD", "index": 0}]},
        ),
    ],
)
def test_a_backend_gets_its_reasoning_in_its_own_form(key: Key, expected: JSONObject) -> None:
    messages = told(reasoning("backend/model", "hm", DETAIL), ANSWER, key=key)
    assert messages == [{"role": "assistant", "content": "42", **expected}]


def test_nobody_gets_what_only_another_model_can_read() -> None:
    messages = told(reasoning("other/model", "hm", DETAIL), ANSWER, key="reasoning_details")
    assert messages == [{"role": "assistant", "content": "42", "reasoning": "hm"}]


FOREIGN = "gAAAAABpzfWE"
OTHERS = BOXES.seal(SealedReasoning("other/model", "", [DETAIL]))


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Reasoning(id="rs_1", summary=[], encrypted_content=FOREIGN), "organization_mismatch"),
        (Reasoning(id="rs_1", summary=[], encrypted_content=OTHERS), "model_mismatch"),
        (Reasoning(id="rs_1", summary=[SummaryText("short")], encrypted_content=FOREIGN), None),
        (Reasoning(id="rs_1", summary=[], content=[ReasoningText("hm")], encrypted_content=OTHERS), None),
        (Reasoning(id="rs_1", summary=[]), None),
        (reasoning(), None),
        (reasoning("other/model"), None),
        (reasoning("backend/model", "", DETAIL), None),
    ],
)
def test_reasoning_of_which_the_model_receives_nothing_is_named(item: Reasoning, reason: str | None) -> None:
    withheld: list[InputTransformation] = []
    capabilities = Capabilities(reasoning_input="reasoning_details")
    at_once(translate_items([item, ANSWER], capabilities, sealed=BOXES, withheld=withheld))
    assert [(each.id, each.reason) for each in withheld] == ([] if reason is None else [("rs_1", reason)])


def test_entries_of_several_items_of_a_reply_stay_together() -> None:
    call = FunctionCall(call_id="a", name="f", arguments="{}")
    late = reasoning("backend/model", "", DETAIL)
    messages = told(
        reasoning("backend/model", "", DETAIL),
        call,
        late,
        FunctionCallOutput(call_id="a", output="5"),
        ANSWER,
        key="reasoning_details",
    )
    assert len(messages[0]["reasoning_details"]) == 2
    assert "reasoning_details" not in messages[2]


def test_without_encrypted_text_the_shown_text_is_used() -> None:
    messages = told(reasoning(text=""), ANSWER, key="reasoning")
    assert messages[0]["reasoning"] == "short"


@pytest.mark.parametrize("encrypted", [None, "gAAAAABpzfWE"])
def test_reasoning_with_unknown_encrypted_content_uses_the_shown_text(encrypted: str | None) -> None:
    item = Reasoning(summary=[], content=[ReasoningText("shown")], encrypted_content=encrypted)
    assert told(item, ANSWER, key="reasoning")[0]["reasoning"] == "shown"


def test_a_summary_is_a_message_of_its_own() -> None:
    item = Compaction(id="cmp_1", encrypted_content=BOXES.seal(SealedCompaction("All went well.")))
    call = FunctionCall(call_id="a", name="f", arguments="{}")
    messages = told(
        ANSWER, item, reasoning(), call, FunctionCallOutput(call_id="a", output="5"), key="reasoning"
    )
    assert [message["role"] for message in messages] == ["assistant", "assistant", "assistant", "tool"]
    assert messages[1] == as_told("All went well.")
    assert messages[2]["reasoning"] == "hm"
