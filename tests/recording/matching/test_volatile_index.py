"""Recordings, found by their text without its volatile parts."""

import pytest

from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.sequence import Entry
from antiphon.recording.matching.volatile import RULES, Rule, VolatileIndex, user_rules
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import chat_request


def entry(name: str, *said: JSONObject, **rest: JSON) -> Entry:
    request = chat_request(**rest)
    call = RecordedCall(
        kind="chat", request={**request, "messages": request["messages"] + [*said]}, name=name
    )
    return Entry(call, call.key)


def found(score: str) -> JSONObject:
    return {"role": "tool", "tool_call_id": "a", "content": f"score: {score}"}


def names(index: VolatileIndex, asked: Entry) -> list[str]:
    return [each.call.name for each in index.find(asked.canonical)]


@pytest.mark.parametrize("rules", [RULES, (*RULES, *user_rules([r"date=\d{4}-\d\d"]))])
def test_what_differs_in_volatile_text_alone_is_found_in_order(rules: tuple[Rule, ...]) -> None:
    index = VolatileIndex(rules)
    assert names(index, entry("?", found("0.5"))) == []
    for recorded in (
        entry("a", found("0.1")),
        entry("b", found("0.2")),
        entry("c", found("0.1"), found("1")),
    ):
        index.add(recorded)
    assert names(index, entry("?", found("0.5"))) == ["a", "b"]
    index.add(entry("d", found("0.3")))
    assert names(index, entry("?", found("0.5"))) == ["a", "b", "d"]
    for other in (
        entry("?", found("0.5 ")),
        entry("?", found("0.5"), temperature=1),
        entry("?", found("0.5"), text="Hallo"),
        entry("?", {"role": "user", "content": "score: 0.1"}),
        entry("?", found("0.5"), {"role": "user", "content": "Go on"}),
    ):
        assert names(index, other) == []


def test_an_operators_rule_holds_for_what_people_write() -> None:
    index = VolatileIndex((*RULES, *user_rules([r"date=\d{4}-\d\d"])))
    index.add(entry("a", text="It is 2025-01."))
    assert names(index, entry("?", text="It is 2026-07.")) == ["a"]
    assert names(index, entry("?", text="It was 2026-07.")) == []


def test_parts_and_odd_messages_are_no_obstacle() -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    index = VolatileIndex(RULES)
    index.add(entry("a", parts, found("1")))
    assert names(index, entry("?", parts, found("2"))) == ["a"]
    for odd in ({"model": "small"}, {"model": ["x"], "messages": "y"}, {"messages": [1, None]}):
        assert list(index.find(odd)) == []
