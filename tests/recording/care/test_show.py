"""Calls as a person reads them: complete, short, and harmless to the terminal."""

import json
from dataclasses import replace

import pytest
from msgspec import Raw

from antiphon.recording.calls.recorded import Address, RecordedCall, RecordedError
from antiphon.recording.care.show import conversation, line
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chat_request, chunk, recordings


def streamed(*deltas: JSONObject, finish_reason: str = "stop", **rest: JSON) -> RecordedCall:
    chunks = [*(chunk(delta) for delta in deltas), chunk({}, finish_reason)]
    parts = tuple(Raw(json.dumps(each).encode()) for each in chunks)
    return RecordedCall(
        **{
            "kind": "chat",
            "request": chat_request(),
            "streamed": True,
            "parts": parts,
            "name": "a.json#1",
            **rest,
        }
    )


CALL = {"index": 0, "id": "1", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}


def test_a_conversation_is_shown_message_by_message() -> None:
    request = chat_request(tools=[{"type": "function", "function": {"name": "get_weather"}}, {"type": "odd"}])
    request["messages"] = [
        {"role": "system", "content": "Be brief.\nBe kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Weather?"},
                {"type": "image_url", "image_url": {"url": "x"}},
            ],
        },
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "Sunny"},
    ]
    text = conversation(
        [streamed({"content": "It is "}, {"content": "sunny."}, request=request, scope="weather")]
    )
    assert text.splitlines() == [
        "a.json#1  weather  chat small",
        "  system: Be brief.",
        "    Be kind.",
        "  user: Weather?",
        '    {"type":"image_url","image_url":{"url":"x"}}',
        '  assistant calls: get_weather({"city":"Rome"})',
        "  tool: Sunny",
        '  tools: get_weather, {"type":"odd"}',
        "  → assistant: It is sunny.",
        "    finish_reason: stop",
    ]


def test_calls_reasoning_and_refusals_of_an_answer_are_shown() -> None:
    call = streamed(
        {"reasoning_content": "Hm."}, {"refusal": "No."}, {"tool_calls": [CALL]}, finish_reason="tool_calls"
    )
    assert conversation([call]).splitlines()[2:] == [
        "  → assistant (reasoning_content): Hm.",
        "  → assistant (refusal): No.",
        '  → assistant calls: get_weather({"city":"Rome"})',
        "    finish_reason: tool_calls",
    ]


def test_messages_that_an_earlier_call_shows_are_only_counted() -> None:
    first = streamed({"content": "Hi"})
    more = [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": "Bye"}]
    request = {**chat_request(), "messages": [*chat_request()["messages"], *more]}
    second = streamed({"content": "Bye"}, request=request, name="a.json#2")
    _, text = conversation([first, second]).split("\n\n")
    assert "Hello" not in text
    assert "(the first 1 of 3 messages are those of a.json#1)" in text
    assert "user: Bye" in text


def test_other_kinds_and_errors_are_shown() -> None:
    address = Address(provider="web", tool_name="search")
    tool = RecordedCall(kind="tool", request={"q": "x"}, address=address, parts=(Raw(b'{"found": 1}'),))
    assert conversation([tool]).splitlines()[1:] == ['  request: {"q":"x"}', '  →: [{"found":1}]']
    failed = RecordedCall(kind="chat", request=chat_request(), error=RecordedError("Too many", 429))
    assert conversation([failed]).splitlines()[-1] == "  → error 429: Too many"


@pytest.mark.parametrize(
    "answer", [b"{}", b"[]", b"not json", b'{"choices": [{}]}', b'{"choices": [1]}', b"\xff"]
)
def test_an_answer_of_another_shape_is_shown_as_it_is(answer: bytes) -> None:
    call = RecordedCall(kind="chat", request=chat_request(), parts=(Raw(answer),))
    assert conversation([call]).splitlines()[-1].startswith("  →: not a chat completion: ")


@pytest.mark.parametrize(
    "messages", ["text", [1, None, {"role": 7, "content": {"a": 1}}, {"tool_calls": [1]}]]
)
def test_odd_messages_are_shown_as_they_are(messages: JSON) -> None:
    text = conversation([streamed({"content": "Hi"}, request={"model": None, "messages": messages})])
    assert text.endswith("→ assistant: Hi\n    finish_reason: stop")


HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202egnp"


@pytest.mark.parametrize("place", ["text", "name", "scope", "answer", "model", "tool"])
def test_nothing_can_command_the_terminal(place: str) -> None:
    call = {
        "text": streamed({"content": "Hi"}, request=chat_request(HOSTILE)),
        "name": streamed({"content": "Hi"}, name=HOSTILE),
        "scope": streamed({"content": "Hi"}, scope=HOSTILE),
        "answer": streamed({"content": HOSTILE}),
        "model": streamed({"content": "Hi"}, request={**chat_request(), "model": HOSTILE}),
        "tool": RecordedCall(kind="tool", request={HOSTILE: 1}, address=Address(tool_name=HOSTILE)),
    }[place]
    for text in (conversation([call]), line(call)):
        assert all(each.isprintable() for each in text.split("\n"))


def test_a_line_has_what_tells_calls_apart() -> None:
    call = streamed(
        {"content": "Hi"}, request=chat_request("Tell me\n all  about it. " + "x" * 60), scope="talk"
    )
    text = line(call)
    assert text.startswith(f'a.json#1  talk  chat  small  "Tell me all about it. {"x" * 28}…"  streamed  ')
    assert text.endswith(" bytes")
    assert line(replace(call, streamed=False, parts=())).split("  ")[5] == "non-streaming"
    assert line(replace(call, error=RecordedError())).split("  ")[5] == "failed"


@pytest.mark.shared
def test_real_calls_are_shown() -> None:
    for call in calls_in(recordings("llama-stack")):
        assert call.name in conversation([call])
        assert "not a chat completion" not in conversation([call])
        assert call.name in line(call)
