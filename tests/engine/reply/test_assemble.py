"""Text, refusals, log probabilities, endings and faults.

`test_calls.py` tests tool calls, and `test_assemble_reasoning.py` reasoning.
"""

import pytest

from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.errors import UpstreamBroken, UpstreamRefused
from antiphon.wire.content import OutputText, Refusal
from antiphon.wire.items import FunctionCall, Item, Message, Reasoning
from antiphon.wire.json import JSON
from tests.engine.replies import (
    CALLED,
    PLAIN,
    STOP,
    THINK,
    USAGE,
    Reply,
    as_wire,
    assemble,
    call,
    chunk,
    counted_ids,
    failure_of,
    raw,
)

MESSAGE = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
]
HALF_A_MESSAGE = MESSAGE[:3]


def test_the_life_of_a_text_message() -> None:
    reply = assemble(chunk(role="assistant", content=""), chunk(content="Hel"), chunk(content="lo"), STOP)
    assert reply.types == [*MESSAGE[:3], *MESSAGE[2:]]
    assert [e["delta"] for e in reply.events if "delta" in e] == ["Hel", "lo"]
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    assert reply.items == [
        {"type": "message", "id": "msg_0", "status": "completed", "role": "assistant", "content": [part]}
    ]


def test_the_life_of_a_refusal() -> None:
    reply = assemble(chunk(content=None, refusal="I can"), chunk(refusal="not."), STOP)
    assert reply.types == [
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]
    assert reply.items[0]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


def test_text_then_refusal_then_text_are_three_parts_of_one_message() -> None:
    reply = assemble(chunk(content="Well"), chunk(refusal="no"), chunk(content="but"), STOP)
    assert [part["type"] for part in reply.items[0]["content"]] == ["output_text", "refusal", "output_text"]
    assert reply.texts() == ["Well", "no", "but"]
    assert [e["content_index"] for e in reply.events if e["type"].endswith("part.added")] == [0, 1, 2]


def test_a_refusal_that_comes_after_text_which_may_be_a_tag() -> None:
    reply = assemble(chunk(content="<th"), chunk(refusal="no"), STOP, options=THINK)
    assert reply.texts() == ["<th", "no"]


def test_empty_and_null_deltas_tell_nothing() -> None:
    reply = assemble(
        chunk(role="assistant"),
        chunk(content=""),
        chunk(content=None, refusal=None, reasoning=None, reasoning_content="", tool_calls=None),
        chunk(content="", tool_calls=[]),
        chunk(content="a"),
        chunk("stop", content=""),
    )
    assert reply.types == MESSAGE
    assert reply.texts() == ["a"]


def test_a_stop_without_text_is_an_empty_message() -> None:
    reply = assemble(chunk(role="assistant"), STOP)
    assert reply.types == [kind for kind in MESSAGE if kind != "output_text.delta"]
    assert reply.texts() == [""]


LOGPROBS = AssemblyOptions(source="backend/model", logprobs=True)


def with_logprobs(text: str, *tokens: str) -> bytes:
    entries = [{"token": t, "logprob": -0.5, "bytes": list(t.encode()), "top_logprobs": []} for t in tokens]
    choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": entries}}
    return raw({"choices": [choice]})


def tokens_of(reply: Reply) -> list[str]:
    part = reply.items[-1]["content"][0]
    assert part["text"] == "".join(entry["token"] for entry in part["logprobs"])
    return [entry["token"] for entry in part["logprobs"]]


def test_logprobs_are_on_deltas_and_on_the_whole_text() -> None:
    chunks = [with_logprobs("Hi", "H", "i"), with_logprobs("!", "!"), STOP]
    reply = assemble(*chunks, options=LOGPROBS)
    deltas = [e["logprobs"] for e in reply.events if e["type"] == "response.output_text.delta"]
    assert [[entry["token"] for entry in entries] for entries in deltas] == [["H", "i"], ["!"]]
    assert tokens_of(reply) == ["H", "i", "!"]


def test_logprobs_that_are_not_included_are_omitted() -> None:
    reply = assemble(with_logprobs("Hi", "Hi"), STOP)
    assert reply.items[0]["content"][0]["logprobs"] == []


@pytest.mark.parametrize(
    "chunks",
    [
        [("<think>", "<think>"), ("x", "x"), ("</think>", "</think>"), ("\n", "\n"), ("Hi", "Hi")],
        [("<think>x</think>\nHi", "<think>", "x", "</think>", "\n", "Hi")],
        [("<think>x</", "<think>", "x", "</"), ("think>", "think>"), ("\nHi", "\n", "Hi")],
        [("<think>x", "<think>", "x"), ("</think>\nHi", "</think>", "\n", "Hi")],
    ],
)
def test_the_logprobs_of_think_tags_are_not_those_of_the_text(chunks: list[tuple[str, ...]]) -> None:
    options = AssemblyOptions(source="backend/model", logprobs=True, think_tags=True)
    payloads = [with_logprobs(text, *tokens) for text, *tokens in chunks]
    assert tokens_of(assemble(*payloads, STOP, options=options)) == ["Hi"]


def test_text_that_only_looks_like_a_tag_keeps_its_logprobs() -> None:
    options = AssemblyOptions(source="backend/model", logprobs=True, think_tags=True)
    reply = assemble(with_logprobs("<th", "<", "th"), with_logprobs("is", "is"), STOP, options=options)
    assert tokens_of(reply) == ["<", "th", "is"]


def test_usage_and_tier_are_taken_from_any_chunk() -> None:
    reply = assemble(chunk(content="a"), raw({"choices": [], "service_tier": "flex"}), STOP, USAGE)
    assert reply.assembler.usage is not None
    assert reply.assembler.usage.total_tokens == 7
    assert reply.assembler.service_tier == "flex"


def test_the_last_of_several_usages_counts() -> None:
    first = raw({"choices": [], "usage": {"completion_tokens": 1}})
    reply = assemble(first, chunk(content="a"), STOP, USAGE, raw({"choices": [], "usage": None}))
    assert reply.assembler.usage is not None
    assert reply.assembler.usage.completion_tokens == 4


def test_a_reply_without_usage() -> None:
    assert assemble(chunk(content="a"), STOP).assembler.usage is None


def test_a_whole_message_instead_of_deltas() -> None:
    choice: JSON = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    assert assemble(raw({"object": "chat.completion", "choices": [choice]})).texts() == ["Hi"]


def test_keep_alive_chunks_without_choices() -> None:
    reply = assemble(raw({}), raw({"choices": None}), raw({"error": None}), chunk(content="a"), STOP)
    assert reply.texts() == ["a"]


def test_text_after_the_finish_reason_is_not_lost() -> None:
    assert assemble(chunk("stop", content="a"), chunk(content="b")).texts() == ["ab"]


def test_an_empty_finish_reason_is_none() -> None:
    """Some gateways send `finish_reason: ""` in every chunk; an incomplete reply must still be detected."""
    assert assemble(chunk("", content="a"), STOP).texts() == ["a"]
    assert "without a finish_reason" in failure_of(chunk("", content="a"))


def test_F25_usage_chunk_only() -> None:
    assert "without a finish_reason" in failure_of(USAGE)


@pytest.mark.parametrize("chunks", [[], [chunk(role="assistant")]], ids=["F24 empty", "F26 cut at once"])
def test_an_empty_stream_fails(chunks: list[bytes]) -> None:
    reply = assemble(*chunks)
    assert isinstance(reply.failure, UpstreamBroken)
    assert reply.failure.message == "backend/model: the reply ended without a finish_reason"
    assert (reply.events, reply.items) == ([], [])


def test_F27_cut_mid_text() -> None:
    reply = assemble(chunk(content="Once upon"))
    assert isinstance(reply.failure, UpstreamBroken)
    assert reply.types == HALF_A_MESSAGE
    assert reply.items[0]["status"] == "incomplete"
    assert reply.texts() == ["Once upon"]


def test_F27_cut_in_text_that_may_be_a_tag() -> None:
    assert assemble(chunk(content="<thi"), options=THINK).texts() == ["<thi"]
    assert assemble(chunk(content="<think>so </thi"), options=THINK).reasoning() == ["so </thi"]


def test_F29_cut_inside_a_character() -> None:
    payload = b'{"choices":[{"delta":{"content":"\xe2\x82"}}]}'
    reply = assemble(chunk(content="a"), payload)
    assert isinstance(reply.failure, UpstreamBroken)
    assert "sent a broken chunk" in reply.failure.message
    assert reply.texts() == ["a"]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"choices":[{"delta":{"content":"b',
        b"<html>Bad gateway</html>",
        b"[]",
        b"null",
        b"",
        b'{"choices":[{"delta":{"content":5}}]}',
        b'{"choices":[{"delta":{"content":"\\ud800"}}]}',
        b'{"choices":[],"deep":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    ],
    ids=["cut", "html", "array", "null", "empty", "number", "lone surrogate", "deep"],
)
def test_F30_broken_json_chunk(payload: bytes) -> None:
    reply = assemble(chunk(content="a"), payload, chunk(content="never read"), STOP)
    assert isinstance(reply.failure, UpstreamBroken)
    assert reply.failure.message.startswith("backend/model: sent a broken chunk (")
    assert payload[:60].decode() in reply.failure.message
    assert len(reply.failure.message) < 400
    assert reply.texts() == ["a"]


def test_F31_an_error_inside_the_stream() -> None:
    error = {"message": "CUDA out of memory", "type": "server_error", "code": None}
    reply = assemble(chunk(content="a"), raw({"error": error}), chunk(content="b"), STOP)
    assert isinstance(reply.failure, UpstreamBroken)
    assert reply.failure.message == "backend/model: CUDA out of memory"
    assert reply.texts() == ["a"]


def test_an_error_inside_the_stream_with_a_status() -> None:
    """OpenRouter sends the error and a choice with the finish_reason "error" in one chunk."""
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    reply = assemble(raw({"error": {"code": 429, "message": "slow down"}, "choices": [choice]}))
    assert isinstance(reply.failure, UpstreamRefused)
    assert reply.failure.status == 429


@pytest.mark.parametrize("error", [{}, "", None, False])
def test_an_error_that_says_nothing_is_none(error: JSON) -> None:
    assert assemble(raw({"error": error}), chunk(content="a"), STOP).texts() == ["a"]


def test_F32_no_finish_reason() -> None:
    assert "without a finish_reason" in failure_of(chunk(content="a"), USAGE)


@pytest.mark.parametrize("reason", ["error", "abort"])
def test_a_finish_reason_that_tells_of_a_fault(reason: str) -> None:
    assert failure_of(chunk(content="a"), chunk(reason)).endswith(f"finish_reason {reason}")


@pytest.mark.parametrize("reason", ["length", "content_filter"], ids=["F33 length", "F34 content_filter"])
def test_F33_F34_stopped_early(reason: str) -> None:
    reply = assemble(chunk(content="Once"), chunk(reason))
    assert reply.failure is None
    assert reply.types == MESSAGE
    assert reply.items[0]["status"] == "incomplete"
    assert reply.assembler.stopped_early


def test_F33_length_before_any_text() -> None:
    reply = assemble(chunk(role="assistant"), chunk("length"))
    assert (reply.failure, reply.items) == (None, [])


def test_F33_length_cuts_the_last_item_only() -> None:
    reply = assemble(chunk(content="I look."), call(0, "a", "f", '{"x"'), chunk("length"))
    assert [item["status"] for item in reply.items] == ["completed", "incomplete"]


def test_F33_length_cuts_every_call_that_is_not_whole() -> None:
    reply = assemble(call(0, "a", "f", '{"x"'), call(1, "b", "f", '{"y"'), chunk("length"))
    assert [item["status"] for item in reply.items] == ["incomplete", "incomplete"]


@pytest.mark.parametrize("reason", ["tool_calls", "function_call"])
def test_F35_tool_calls_without_calls(reason: str) -> None:
    message = failure_of(chunk(content="a"), chunk(reason))
    assert message == f"backend/model: finish_reason is {reason}, but there are no tool calls"


def test_stop_with_tool_calls() -> None:
    reply = assemble(call(0, "a", "f", "{}"), STOP)
    assert reply.calls() == [("a", "f", "{}")]
    assert reply.items[0]["status"] == "completed"


def test_text_and_tool_calls_in_one_stream() -> None:
    reply = assemble(chunk(content="I look."), call(0, "a", "f", "{}"), chunk(content="Found."), CALLED)
    assert [item["type"] for item in reply.items] == ["message", "function_call", "message"]
    assert reply.texts() == ["I look.", "Found."]


def test_text_and_tool_calls_in_one_delta() -> None:
    entry = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    reply = assemble(chunk(content="I look.", tool_calls=[entry]), CALLED)
    assert [item["type"] for item in reply.items] == ["message", "function_call"]


def test_text_between_the_pieces_of_a_call_waits_for_its_end() -> None:
    reply = assemble(call(0, "a", "f", '{"x"'), chunk(content="so"), call(0, arguments=":1}"), STOP)
    assert reply.calls() == [("a", "f", '{"x":1}')]
    assert reply.texts() == ["so"]
    assert [item["type"] for item in reply.items] == ["function_call", "message"]


def test_blank_text_before_a_call_stays_before_it() -> None:
    """Qwen's templates begin with an empty line, which is held back while a tag may follow."""
    reply = assemble(chunk(content="\n\n"), call(0, "a", "f", "{}"), CALLED, options=THINK)
    assert [item["type"] for item in reply.items] == ["message", "function_call"]
    assert reply.texts() == ["\n\n"]


def test_F42_choices_n_2() -> None:
    reply = assemble(
        chunk(content="a"), chunk(content="x", index=1), chunk("length", index=1), chunk(content="b"), STOP
    )
    assert reply.texts() == ["ab"]
    assert reply.items[0]["status"] == "completed"


def test_F44_ten_megabytes_in_one_chunk() -> None:
    text = "x" * 10_000_000
    reply = assemble(chunk(content=text), STOP)
    assert reply.texts() == [text]


def test_nothing_is_read_after_a_failure() -> None:
    reply = Reply([[b"{", chunk(content="a")], [chunk(content="b")], [STOP]])
    assert (reply.events, reply.items) == ([], [])
    assert reply.failure is not None


def test_indexes_go_on_after_the_output_of_an_earlier_model_call() -> None:
    output: list[Item] = [FunctionCall(call_id="a", name="f", arguments="{}")]
    assembler = Assembler(output, counted_ids(), PLAIN)
    events = assembler.feed([STOP]) + assembler.finish()
    assert {event["output_index"] for event in as_wire(events)} == {1}
    assert [type(item) for item in output] == [FunctionCall, Message]


def test_whatever_comes_between_plain_text_is_seen() -> None:
    """Most chunks take a fast path; none of them may lose a field that the path doesn't handle."""
    tier = {"choices": [{"index": 0, "delta": {"content": "b"}}], "service_tier": "flex"}
    between = [
        raw(tier),
        chunk(content="c", refusal="no"),
        chunk(content="d"),
        chunk(content="x", index=1),
        chunk(content="e", reasoning_content="hm"),
        chunk("stop", content="f"),
    ]
    reply = assemble(chunk(content="a"), chunk(content="a"), *between, USAGE)
    message, reasoning, rest = reply.assembler.output
    assert isinstance(message, Message)
    assert isinstance(rest, Message)
    assert isinstance(reasoning, Reasoning)
    assert [type(part) for part in message.content] == [OutputText, Refusal, OutputText]
    assert reply.assembler.service_tier == "flex"
    assert reply.assembler.usage is not None


def test_a_choice_without_delta_and_message_still_ends_the_reply() -> None:
    ended = raw({"choices": [{"index": 0, "finish_reason": "stop"}]})
    reply = assemble(chunk(content="Hello"), ended)
    assert reply.texts() == ["Hello"]
    assert reply.assembler.finish_reason == "stop"
