"""Normalization of volatile text by named rules, in results of tools and replies of models."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigError
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.collection import Collection
from antiphon.recording.matching.chats import Hit
from antiphon.recording.matching.volatile import (
    RULES,
    named_pattern,
    normalized_key,
    rules_needed,
    user_rules,
)
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import recordings

ONE = "0b9ae1c2-1111-4222-8333-123456789abc"
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TWO = "ffffffff-9999-4888-a777-cba987654321"


def found(text: str, role: str = "tool") -> JSONObject:
    """Return a conversation in which `role` sends `text`."""
    said: JSONObject = {"role": role, "content": text}
    if role == "tool":
        said["tool_call_id"] = "call_1"
    messages = [{"role": "user", "content": "Search"}, said]
    return canonical_request({"model": "m", "messages": messages})


def same(mine: JSONObject, theirs: JSONObject) -> bool:
    return normalized_key(mine, RULES) == normalized_key(theirs, RULES)


@pytest.mark.parametrize(
    ("mine", "theirs", "names"),
    [
        ("score: 0.52 cite", "score: 1.2e-05 cite", ["score"]),
        ("[1] x, attributes: {'a': 1} y", "[1] x y", ["attributes"]),
        (f"document_id: {ONE}", "document_id: file-Ab12Cd34", ["document-id"]),
        (f"cite as <|{ONE}|>", "cite as <|file_0123456789|>", ["citation"]),
        (f"order {ONE} is on its way", f"order {TWO} is on its way", ["uuid"]),
        ("0.123456789 degrees", "0.1234567891 degrees", ["long-decimal"]),
        (f"score: 1, see {ONE}", f"score: 2, see {TWO}", ["score", "uuid"]),
    ],
)
@pytest.mark.parametrize("role", ["tool", "assistant"])
def test_volatile_text_is_folded_and_the_rule_is_named(
    mine: str, theirs: str, names: list[str], role: str
) -> None:
    assert same(found(mine, role), found(theirs, role))
    assert rules_needed(found(mine, role), found(theirs, role), RULES) == (names, 1)


@pytest.mark.parametrize("role", ["user", "system", "developer"])
@pytest.mark.parametrize(("mine", "theirs"), [(ONE, TWO), ("score: 1", "score: 2"), ("0.12345", "0.123451")])
def test_what_a_person_or_the_application_writes_is_never_folded(mine: str, theirs: str, role: str) -> None:
    assert not same(found(mine, role), found(theirs, role))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ("It is 20 degrees.", "It is 21 degrees."),
        ("0.1234", "0.1236"),
        ("<|im_start|>", "<|im_end|>"),
        ("document_id: invoice", "document_id: letter"),
        (f"{ONE} and more", f"{ONE} and less"),
    ],
)
def test_other_text_is_not(mine: str, theirs: str) -> None:
    assert not same(found(mine), found(theirs))


def test_arguments_of_calls_are_folded_too() -> None:
    def cancels(order: str) -> JSONObject:
        function = {"name": "cancel", "arguments": f'{{"order": "{order}"}}'}
        call = {"id": "call_1", "type": "function", "function": function}
        return canonical_request({"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]})

    assert same(cancels(ONE), cancels(TWO))


def test_a_normalized_key_is_never_a_plain_one() -> None:
    plain = found("nothing volatile")
    assert normalized_key(plain, RULES) != canonical_key(plain)


def test_patterns_of_the_operator_hold_everywhere() -> None:
    rules = (*user_rules([r"date=\d{4}-\d\d-\d\d"]), *RULES)
    mine, theirs = found("Today is 2026-01-02.", "system"), found("Today is 2025-12-31.", "system")
    assert not same(mine, theirs)
    assert normalized_key(mine, rules) == normalized_key(theirs, rules)
    assert rules_needed(mine, theirs, rules) == (["date"], 1)


def test_of_rules_that_would_do_the_first_is_named() -> None:
    rules = user_rules([r"ticket=T-\d+", r"number=N-\d+"])
    assert rules_needed(found("T-12"), found("T-34"), rules) == (["ticket"], 1)
    both = user_rules([r"one=T-\d+", r"two=T-\d+"])
    assert rules_needed(found("T-12"), found("T-34"), both) == (["one"], 1)
    beside = user_rules([r"number=N-\d+", r"one=T-\d+", r"two=T-\d+"])
    assert rules_needed(found("T-12 N-1"), found("T-34 N-2"), beside) == (["number", "one"], 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("date", "NAME=REGEX"),
        ("=x", "NAME=REGEX"),
        ("date=", "NAME=REGEX"),
        ("a name=x", "NAME=REGEX"),
        ("date=(", "isn't a valid regular expression"),
        (r"date=\d*", "matches the empty string"),
    ],
)
def test_a_wrong_pattern_is_reported(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        named_pattern("volatile", text)
    assert str(caught.value).startswith("volatile: ")


values: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_no_json_value_breaks_it(value: JSON) -> None:
    for request in (
        {"messages": value},
        {"messages": [value]},
        {"messages": [{"role": "tool", "content": value}]},
    ):
        canonical = canonical_request({"model": "m", **request})
        assert normalized_key(canonical, RULES) == normalized_key(canonical, RULES)
        assert rules_needed(canonical, canonical, RULES) == ([], 0)


OURS = "file-" + "0123456789abcdef" * 2


def test_our_own_ids_of_files_are_folded_as_those_of_others_are() -> None:
    for theirs, ours in (
        (f"document_id: {ONE}", f"document_id: {OURS}"),
        (f"as it says <|{ONE}|>.", f"as it says <|{OURS}|>."),
        (f"the file {ONE} says so", f"the file {OURS} says so"),
    ):
        assert same(found(theirs), found(ours))
    assert not same(found("see file-cabinet"), found("see file-drawers"))


@pytest.mark.shared
@pytest.mark.parametrize("name", ["llama-stack"])
def test_real_file_searches_answer_requests_with_our_ids(name: str) -> None:
    """Ids, scores and attributes differ between two servers that searched the same file."""
    collection = Collection(recordings(name))
    asked = 0
    for entry in collection.chats.entries:
        text = msgspec.json.encode(entry.call.request["messages"]).decode()
        if "document_id: " not in text:
            continue
        text, count = re.subn(rf"(document_id: |<\|){UUID}", rf"\1{OURS}", text)
        text = re.sub(r"score: [0-9.e-]+", "score: 0.25", text)
        text = re.sub(r", attributes: \{[^{}]*\}", ", attributes: {}", text)
        hit = collection.chats.find({**entry.call.request, "messages": json.loads(text)}, entry.call.scope)
        assert isinstance(hit, Hit), entry.call.name
        assert hit.how == "canonical"
        assert {"score", "attributes", *(["document-id", "citation"] if count else [])} <= {*hit.rules}
        assert normalized_key(hit.call.canonical, RULES) == normalized_key(entry.canonical, RULES)
        asked += count > 0
    assert asked >= 5
