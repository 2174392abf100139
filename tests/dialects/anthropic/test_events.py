"""Events of responses as events of messages."""

from collections.abc import Sequence

import msgspec
import pytest

from antiphon.dialects.anthropic.events import MessageEncoder, WholeMessage
from antiphon.dialects.anthropic.requests import Shown
from antiphon.wire.content import OutputText, SummaryText
from antiphon.wire.events import (
    NO_LOGPROBS,
    ContentPartDone,
    Event,
    FunctionCallArgumentsDelta,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningSummaryPartAdded,
    ReasoningSummaryTextDelta,
    ReasoningTextDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseCreated,
    ResponseIncomplete,
)
from antiphon.wire.items import FunctionCall, Item, Message, Reasoning
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.messages import AssistantMessage, MessageEvent
from antiphon.wire.responses import (
    IncompleteDetails,
    InputTokensDetails,
    OutputTokensDetails,
    ReasoningConfig,
    Response,
    TextConfig,
    Usage,
)

USAGE = Usage(
    input_tokens=100,
    input_tokens_details=InputTokensDetails(60, 30),
    output_tokens=9,
    output_tokens_details=OutputTokensDetails(4),
    total_tokens=109,
)
CALL = FunctionCall(id="fc_1", arguments="", call_id="c", name="f")


def response(*output: Item, reason: str | None = None, usage: Usage | None = USAGE) -> Response:
    """Return a response with an output."""
    return Response(
        id="resp_1",
        created_at=1,
        status="completed",
        model="up/m",
        output=[*output],
        reasoning=ReasoningConfig(),
        text=TextConfig(),
        tools=[],
        metadata={},
        usage=usage,
        incomplete_details=None if reason is None else msgspec.convert({"reason": reason}, IncompleteDetails),
    )


def said(*pieces: str) -> list[Event]:
    """Return the events of a text."""
    added = Message(id="msg_1", role="assistant", content=[])
    return [
        OutputItemAdded(0, added),
        *(OutputTextDelta("msg_1", 0, 0, piece, NO_LOGPROBS) for piece in pieces),
        ContentPartDone("msg_1", 0, 0, OutputText(text="".join(pieces))),
        OutputItemDone(0, added),
    ]


def called(*pieces: str) -> list[Event]:
    """Return the events of a call."""
    deltas = [FunctionCallArgumentsDelta("fc_1", 0, piece) for piece in pieces]
    return [OutputItemAdded(0, CALL), *deltas, OutputItemDone(0, CALL)]


def reasoned(*deltas: Event, sealed: str = "sealed") -> list[Event]:
    """Return the events of reasoning."""
    done = Reasoning(id="rs_1", summary=[], encrypted_content=sealed)
    return [OutputItemAdded(0, Reasoning(id="rs_1", summary=[])), *deltas, OutputItemDone(0, done)]


THOUGHT = ReasoningTextDelta("rs_1", 0, 0, "Hm")


def encoded(
    events: list[Event], last: Response, shown: Shown = "hidden", stops: Sequence[str] = ()
) -> list[MessageEvent]:
    """Return the events of a message."""
    encoder = MessageEncoder(shown, stops)
    ended = ResponseCompleted(last) if last.incomplete_details is None else ResponseIncomplete(last)
    return encoder.encode([ResponseCreated(response()), *events, ended])


def plain(events: list[MessageEvent]) -> list[JSONObject]:
    """Return events between the start and the end of a message as JSON."""
    found: list[JSONObject] = msgspec.to_builtins(events)
    assert [event["type"] for event in found[:2]] == ["message_start", "ping"]
    assert [event["type"] for event in found[-2:]] == ["message_delta", "message_stop"]
    return found[2:-2]


def whole(events: list[MessageEvent]) -> AssistantMessage:
    """Return the message of events."""
    joined = WholeMessage()
    joined.add(events)
    return joined.message


def test_nothing_is_sent_before_the_output_begins() -> None:
    encoder = MessageEncoder("hidden", ())
    assert encoder.encode([ResponseCreated(response())]) == []
    assert not encoder.has_begun
    encoder.encode([OutputItemAdded(0, CALL)])
    assert encoder.has_begun


def test_blocks_follow_one_another() -> None:
    events = plain(encoded([*said("I ", "look."), *called('{"a"', ":1}")], response(CALL)))
    assert events == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I "}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "look."}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"a"'},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": ":1}"},
        },
        {"type": "content_block_stop", "index": 1},
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    events = encoded(called(), response(CALL))
    assert plain(events)[1]["delta"] == {"type": "input_json_delta", "partial_json": "{}"}
    assert msgspec.to_builtins(whole(events).content) == [
        {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    ]


@pytest.mark.parametrize("text", ['{"a', "[1]"])
def test_arguments_that_are_no_object_are_kept(text: str) -> None:
    assert msgspec.to_builtins(whole(encoded(called(text), response(CALL))).content)[0]["input"] == {
        "INVALID_JSON": text
    }


@pytest.mark.parametrize(
    ("shown", "events", "blocks"),
    [
        ("hidden", reasoned(THOUGHT), []),
        ("summarized", reasoned(THOUGHT), [{"type": "thinking", "thinking": "Hm", "signature": "sealed"}]),
        ("omitted", reasoned(THOUGHT), [{"type": "thinking", "thinking": "", "signature": "sealed"}]),
        ("summarized", reasoned(), [{"type": "redacted_thinking", "data": "sealed"}]),
        (
            "summarized",
            reasoned(
                ReasoningSummaryPartAdded("rs_1", 0, 0, SummaryText("")),
                ReasoningSummaryTextDelta("rs_1", 0, 0, "One"),
                ReasoningSummaryPartAdded("rs_1", 0, 1, SummaryText("")),
                ReasoningSummaryTextDelta("rs_1", 0, 1, "Two"),
            ),
            [{"type": "thinking", "thinking": "One\n\nTwo", "signature": "sealed"}],
        ),
    ],
)
def test_thinking_blocks(shown: Shown, events: list[Event], blocks: JSON) -> None:
    message = whole(encoded([*events, *said("So")], response(), shown))
    assert msgspec.to_builtins(message.content) == [*blocks, {"type": "text", "text": "So"}]


def test_the_signature_is_the_last_delta_of_its_block() -> None:
    types = [
        event["delta"]["type"] if "delta" in event else event["type"]
        for event in plain(encoded(reasoned(THOUGHT), response(), "summarized"))
    ]
    assert types == ["content_block_start", "thinking_delta", "signature_delta", "content_block_stop"]


@pytest.mark.parametrize(
    ("events", "last", "reason"),
    [
        (said("a"), response(), "end_turn"),
        (called(), response(CALL), "tool_use"),
        (called(), response(CALL, reason="max_output_tokens"), "max_tokens"),
        (said("a"), response(reason="content_filter"), "refusal"),
        ([*said()[:1], RefusalDelta("msg_1", 0, 0, "No.")], response(), "refusal"),
    ],
)
def test_reasons_to_stop(events: list[Event], last: Response, reason: str) -> None:
    message = whole(encoded(events, last))
    assert (message.stop_reason, message.stop_sequence) == (reason, None)


def test_a_stop_sequence_ends_the_content() -> None:
    message = whole(encoded([*said("one ST", "OP two"), *called()], response(CALL), stops=["STOP"]))
    assert msgspec.to_builtins(message.content) == [{"type": "text", "text": "one "}]
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "STOP")


def test_a_text_that_only_resembles_a_stop_sequence_is_whole() -> None:
    message = whole(encoded(said("one ST"), response(), stops=["STOP"]))
    assert msgspec.to_builtins(message.content) == [{"type": "text", "text": "one ST"}]


def test_the_input_has_no_cached_tokens() -> None:
    message = whole(encoded(said("a"), response()))
    assert (message.id, message.model) == ("msg_1", "up/m")
    assert msgspec.to_builtins(message.usage) == {
        "input_tokens": 10,
        "output_tokens": 9,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 60,
        "output_tokens_details": {"thinking_tokens": 4},
    }


def test_a_backend_without_counts_has_zeros() -> None:
    usage = whole(encoded(said("a"), response(usage=None))).usage
    assert (usage.input_tokens, usage.output_tokens) == (0, 0)
