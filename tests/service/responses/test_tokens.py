"""Rules of the token estimate; `tests/server/routes/test_input_tokens.py` has recorded counts."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.service.responses import tokens as counting
from antiphon.service.responses.tokens import estimate_text_tokens
from antiphon.wire.chat import ChatContentPart, ChatMessage
from antiphon.wire.json import JSON, JSONObject
from tests.support.immediate import at_once


def estimate_tokens(messages: list[ChatMessage], response_format: JSON = None) -> int:
    return at_once(counting.estimate_tokens(messages, None, response_format))


def part(part: ChatContentPart) -> int:
    """Return the tokens of one part of a message."""
    empty = estimate_tokens([{"role": "user", "content": []}])
    return estimate_tokens([{"role": "user", "content": [part]}]) - empty


def test_text_counts_by_its_alphabet() -> None:
    assert estimate_text_tokens("") == 0
    assert estimate_text_tokens("a" * 400) == 100
    assert estimate_text_tokens("漢" * 100) == 100
    assert estimate_text_tokens("a" * 400 + "漢" * 100) == 200
    assert estimate_text_tokens("\ud800") == 1


def test_many_messages_count_like_each() -> None:
    messages: list[ChatMessage] = [{"role": "user", "content": "a" * number} for number in range(1000)]
    whole = asyncio.run(counting.estimate_tokens(messages))
    assert whole - 3 == sum(estimate_tokens([message]) - 3 for message in messages)


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, other: str) -> None:
    assert estimate_text_tokens(one + other) >= max(estimate_text_tokens(one), estimate_text_tokens(other))


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ({"type": "text", "text": "a" * 40}, 10),
        ({"type": "refusal", "refusal": "a" * 40}, 10),
        ({"type": "image_url", "image_url": {"url": "data:,", "detail": "low"}}, 85),
        ({"type": "image_url", "image_url": {"url": "data:,"}}, 765),
        ({"type": "file", "file": {"file_data": "data:text/plain;base64," + "A" * 400}}, 75),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64," + "A" * 400}}, 6),
        ({"type": "file", "file": {"file_id": "file-1"}}, 1000),
        ({"type": "input_audio", "input_audio": {"data": "A" * 6400, "format": "mp3"}}, 3),
    ],
)
def test_parts_count_by_their_kind(given: ChatContentPart, tokens: int) -> None:
    assert part(given) == tokens


def test_calls_reasoning_and_formats_count() -> None:
    plain: ChatMessage = {"role": "assistant", "content": None}
    base = estimate_tokens([plain])
    call: ChatMessage = {
        **plain,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "a" * 8, "arguments": "b" * 40}},
        ],
    }
    assert estimate_tokens([call]) == base + 4 + 2 + 10
    assert estimate_tokens([{**plain, "reasoning": "a" * 40}]) == base + 10
    schema: JSONObject = {"type": "json_object"}
    assert estimate_tokens([plain], schema) > base
