"""Conversion of streams to single replies and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.reply.whole import fold_chunks, fold_text_chunks, is_whole, unfold_reply
from antiphon.errors import UpstreamBroken
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chunk, recordings


def fold(*chunks: JSON) -> JSONObject:
    folded: JSONObject = json.loads(fold_chunks([json.dumps(value).encode() for value in chunks]))
    return folded


def call_delta(index: int | None, **rest: JSON) -> JSONObject:
    return chunk({"tool_calls": [{**({} if index is None else {"index": index}), **rest}]})


def test_text_reasoning_usage_and_end_are_gathered() -> None:
    reply = fold(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "Hm"}),
        chunk({"reasoning_content": "m.", "content": "Hel"}),
        chunk({"content": "lo"}, service_tier="default"),
        chunk({}, "stop"),
        {**chunk({}), "choices": [], "usage": {"total_tokens": 7}},
    )
    assert reply["object"] == "chat.completion"
    assert (reply["id"], reply["model"], reply["service_tier"]) == ("rec-1", "small-2025", "default")
    assert reply["usage"] == {"total_tokens": 7}
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"] == {
        "role": "assistant",
        "content": "Hello",
        "refusal": None,
        "reasoning_content": "Hmm.",
    }


def test_calls_of_custom_tools_are_gathered() -> None:
    reply = fold(
        call_delta(0, id="a", type="custom", custom={"name": "one", "input": ""}),
        call_delta(0, custom={"input": "x"}),
        call_delta(0, custom={"input": "y"}),
        chunk({}, "tool_calls"),
    )
    (call,) = reply["choices"][0]["message"]["tool_calls"]
    assert call == {"id": "a", "type": "custom", "custom": {"name": "one", "input": "xy"}}


def test_parallel_calls_are_gathered_by_index() -> None:
    reply = fold(
        call_delta(0, id="a", type="function", function={"name": "one", "arguments": ""}),
        call_delta(1, id="b", type="function", function={"name": "two", "arguments": '{"x"'}),
        call_delta(0, function={"arguments": "{}"}),
        call_delta(1, id="b", function={"name": "two", "arguments": ":1}"}),
        chunk({}, "tool_calls"),
    )
    calls = reply["choices"][0]["message"]["tool_calls"]
    assert calls == [
        {"id": "a", "type": "function", "function": {"name": "one", "arguments": "{}"}},
        {"id": "b", "type": "function", "function": {"name": "two", "arguments": '{"x":1}'}},
    ]


def test_calls_without_index_begin_with_their_id() -> None:
    reply = fold(
        call_delta(None, id="a", function={"name": "one", "arguments": "{"}),
        call_delta(None, function={"arguments": "}"}),
        call_delta(None, id="b", function={"name": "two", "arguments": "{}"}),
    )
    calls = reply["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [("a", "{}"), ("b", "{}")]


def test_a_huge_index_costs_nothing() -> None:
    reply = fold(call_delta(10**9, id="a", function={"name": "one", "arguments": "{}"}))
    assert len(reply["choices"][0]["message"]["tool_calls"]) == 1


def test_log_probabilities_are_joined() -> None:
    parts = [chunk({"content": letter}) for letter in "ab"]
    for letter, part in zip("ab", parts, strict=True):
        part["choices"][0]["logprobs"] = {"content": [{"token": letter}], "refusal": None}
    logprobs = fold(*parts)["choices"][0]["logprobs"]
    assert logprobs == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}


@pytest.mark.parametrize(
    "broken",
    [b"1", b"{", b'{"choices": [1]}', b'{"choices": [{"index": [1]}]}', b'{"choices": []}', b'"\xff"'],
)
def test_what_is_no_stream_is_broken(broken: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        fold_chunks([broken])


@pytest.mark.parametrize("broken", [b"1", b"{", b'{"choices": [1]}', b'{"choices": [{"message": 1}]}'])
def test_what_is_no_reply_is_broken(broken: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        unfold_reply(broken, include_usage=True)


messages = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.text(max_size=9) | st.none(), "refusal": st.none()},
    optional={
        "reasoning": st.text(min_size=1, max_size=9),
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {
                    "id": st.text(min_size=1, max_size=3),
                    "type": st.just("function"),
                    "function": st.fixed_dictionaries(
                        {"name": st.text(min_size=1, max_size=3), "arguments": st.text(max_size=5)}
                    ),
                }
            ),
            min_size=1,
            max_size=3,
        ),
    },
)


@given(st.lists(messages, min_size=1, max_size=2), st.booleans())
def test_an_unfolded_reply_folds_to_itself(said: list[JSONObject], include_usage: bool) -> None:
    reply: JSONObject = {
        "id": "rec-1",
        "object": "chat.completion",
        "created": 3,
        "model": "small",
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": "stop"}
            for index, message in enumerate(said)
        ],
        "usage": {"total_tokens": 3},
    }
    chunks = unfold_reply(json.dumps(reply).encode(), include_usage=include_usage)
    assert {json.loads(text)["object"] for text in chunks} == {"chat.completion.chunk"}
    expected = reply if include_usage else {name: reply[name] for name in reply if name != "usage"}
    assert json.loads(fold_chunks(chunks)) == expected


@pytest.mark.shared
def test_real_streams_fold_to_their_text() -> None:
    streams = [call for call in calls_in(recordings("llama-stack")) if call.kind == "chat"]
    for call in streams:
        if call.streamed:
            values = [json.loads(text) for text in call.payloads()]
            deltas = [choice["delta"] for value in values for choice in value["choices"]]
            text = "".join(delta.get("content") or "" for delta in deltas)
            message = json.loads(fold_chunks(call.payloads()))["choices"][0]["message"]
            assert (message["content"] or "") == text


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        ({"choices": [{"index": 0, "message": {"content": "Hi"}}]}, True),
        ({"choices": [{"index": 0, "delta": {"content": "Hi"}}]}, False),
        ({"choices": []}, False),
        ({"choices": None, "error": {"message": "No."}}, False),
        ({"choices": ["Hi"]}, False),
        ([], False),
    ],
)
def test_a_whole_completion_is_known_by_its_choices(body: JSON, whole: bool) -> None:
    assert is_whole(json.dumps(body).encode()) is whole


def test_a_text_that_is_not_json_is_not_a_whole_completion() -> None:
    assert not is_whole(b"Bad gateway")


def test_chunks_of_a_text_completion_are_joined_choice_by_choice() -> None:
    chunks: list[JSONObject] = [
        {"id": "c", "usage": None, "choices": [{"index": 0, "text": "He", "finish_reason": None}]},
        {"id": "c", "usage": None, "choices": [{"index": 1, "text": "Ho", "finish_reason": None}]},
        {"id": "c", "usage": None, "choices": [{"index": 0, "text": "llo", "finish_reason": "stop"}]},
        {"id": "c", "usage": {"total_tokens": 3}, "choices": []},
    ]
    assert json.loads(fold_text_chunks(json.dumps(chunk).encode() for chunk in chunks)) == {
        "id": "c",
        "usage": {"total_tokens": 3},
        "choices": [
            {"index": 0, "text": "Hello", "finish_reason": "stop"},
            {"index": 1, "text": "Ho", "finish_reason": None},
        ],
    }


def test_log_probabilities_of_a_text_completion_are_joined() -> None:
    pieces = ["He", "llo"]
    chunks = [{"choices": [{"text": each, "logprobs": {"tokens": [each]}}]} for each in pieces]
    [choice] = json.loads(fold_text_chunks(json.dumps(chunk).encode() for chunk in chunks))["choices"]
    assert choice == {"text": "Hello", "logprobs": {"tokens": pieces}}


@pytest.mark.parametrize("broken", [b"{", b"[]", b'{"choices":[7]}'])
def test_what_is_no_text_completion_is_broken(broken: bytes) -> None:
    with pytest.raises(UpstreamBroken, match="contains no text completion"):
        fold_text_chunks([broken])
