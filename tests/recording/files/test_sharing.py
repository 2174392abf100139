"""Requests that repeat earlier ones: they are written in short, and read back in full."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.recording.files.sharing import Requests, SharedRequest, restore
from antiphon.wire.json import JSONObject

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Tells the weather of a city, now."},
}
SYSTEM = {"role": "system", "content": "You are a helpful assistant, who answers in one sentence."}

messages = st.lists(
    st.sampled_from([SYSTEM, {"role": "user", "content": "Hi"}, {"role": "user", "content": "1"}]), max_size=4
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["small", "large"]),
        "messages": st.one_of(messages, st.just("none")),
        "tools": st.lists(st.just(TOOL), max_size=2),
        "stream": st.sampled_from([True, 1, 1.0]),
        "seed": st.integers(0, 2),
    },
)


@given(st.lists(requests, max_size=6))
def test_any_requests_come_back(sent: list[JSONObject]) -> None:
    shared = Requests()
    known: dict[int, JSONObject] = {}
    for number, request in enumerate(sent, 1):
        told = msgspec.json.decode(msgspec.json.encode(shared.share(request, number)), type=SharedRequest)
        known[number] = restore(told, known)
        assert json.dumps(known[number], sort_keys=True) == json.dumps(request, sort_keys=True)


def test_a_conversation_that_goes_on_tells_only_what_is_new() -> None:
    shared = Requests()
    first = {"model": "small", "tools": [TOOL], "messages": [SYSTEM]}
    more = [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "No."}]
    assert shared.share(first, 1) == SharedRequest(first)
    second = {**first, "messages": [SYSTEM, *more], "seed": 1}
    assert shared.share(second, 2) == SharedRequest({"messages": more, "seed": 1}, like=1, kept_messages=1)
    assert shared.share(first, 3) == SharedRequest({}, like=1, without=[])


def test_a_call_is_written_relative_to_the_one_that_shares_the_most() -> None:
    shared = Requests()
    shared.share({"model": "small", "messages": [SYSTEM], "tools": [TOOL]}, 1)
    shared.share({"model": "small", "messages": [{"role": "user", "content": "Something else entirely"}]}, 2)
    assert shared.share({"model": "large", "messages": [SYSTEM], "tools": [TOOL]}, 3).like == 1


def test_what_saves_little_stands_whole() -> None:
    shared = Requests()
    shared.share({"model": "small", "messages": ["a"]}, 1)
    assert shared.share({"model": "small", "messages": ["b"]}, 2).like is None


@pytest.mark.parametrize(
    "shared",
    [
        SharedRequest({}, like=2),
        SharedRequest({"messages": []}, like=1, kept_messages=2),
        SharedRequest({"messages": []}, like=1, kept_messages=-1),
        SharedRequest({"messages": []}, like=3, kept_messages=0),
        SharedRequest({}, like=1, kept_messages=1),
        SharedRequest({"messages": {}}, like=1, kept_messages=1),
    ],
)
def test_a_reference_to_what_is_not_there_is_an_error(shared: SharedRequest) -> None:
    with pytest.raises(ValueError, match=r"call|messages"):
        restore(shared, {1: {"messages": [SYSTEM]}, 3: {"messages": "text"}})
