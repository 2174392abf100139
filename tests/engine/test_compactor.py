"""Compaction in a response: its conditions, the request to the model, and the result."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import nullcontext

import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.compactor import Compactor, Estimate
from antiphon.engine.loop import Loop
from antiphon.engine.ports import HostedTool, HostedTools, ResolvedModel
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.request.summary import PROMPT, as_told
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import new_response
from antiphon.engine.sealed import Sealed
from antiphon.engine.steps import ModelNote, StepNotes
from antiphon.errors import AntiphonError, ContextLengthExceeded, RecordingNotFound, UpstreamUnreachable
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.items import (
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    Message,
)
from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import FakeMcp, mcp
from tests.engine.looping import NOW, collect
from tests.engine.replies import CALLED, STOP, call, chunk, counted_ids, raw
from tests.engine.seals import OpenSeal, inside
from tests.support.immediate import at_once
from tests.support.notes import Notes, notes_of

OVER = [{"type": "compaction", "compact_threshold": 1000}]
SUMMARY: JSONObject = {
    "choices": [{"index": 0, "message": {"content": "All went well."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 10, "total_tokens": 910},
}
ITEMS: list[Item] = [
    Message(id="msg_1", role="user", content="One"),
    Message(id="msg_2", role="assistant", content="Two"),
    Message(id="msg_3", role="user", content="Three"),
]
ASKED = [
    {"role": "user", "content": "One"},
    {"role": "assistant", "content": "Two"},
    {"role": "user", "content": "Three"},
    {"role": "user", "content": PROMPT},
]
SHORT = [{"role": "user", "content": "One"}, {"role": "user", "content": "Three"}, as_told("All went well.")]


def usage(total: int) -> bytes:
    return raw({"choices": [], "usage": {"prompt_tokens": total - 5, "completion_tokens": 5}})


class Model:
    """Chat model that streams the replies in turn, and answers non-streaming requests with `summary`."""

    def __init__(self, *replies: list[bytes], summary: JSONObject | AntiphonError = SUMMARY) -> None:
        self.capabilities = Capabilities(think_tags=True)
        self.streamed: list[ChatRequest] = []
        self.asked: list[ChatRequest] = []
        self._replies = deque(replies)
        self._summary = summary

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        self.streamed.append(request)
        yield self._replies.popleft()

    async def complete(self, request: ChatRequest) -> bytes:
        self.asked.append(request)
        if isinstance(self._summary, AntiphonError):
            raise self._summary
        return msgspec.json.encode(self._summary)


def estimate_of(tokens: int) -> Estimate:
    async def estimate(chat: ChatRequest) -> int:
        return tokens

    return estimate


class Compacting:
    """Response that may be compacted; the estimate for every request is `tokens`."""

    def __init__(
        self, model: Model, tokens: int, body: JSONObject, items: list[Item] = ITEMS, *hosted: HostedTool
    ) -> None:
        request = create_response.decode(
            msgspec.json.encode({"model": "backend/model", "input": "Hi"} | body)
        )
        resolved = ResolvedModel(chat_model=model, name="model", id="backend/model")
        self.call = RequestContext(clock=lambda: NOW, ids=counted_ids(), seal=OpenSeal(), observer=Notes())
        response = new_response(request, "resp_1", int(NOW))
        prompt = PromptState(request, items, resolved, Sealed(self.call.seal, resolved.name))
        compactor = Compactor(request, resolved, self.call, estimate_of(tokens))
        self.loop = Loop(request, response, prompt, self.call, HostedTools(hosted), compactor)
        at_once(self.loop.prepare())
        self.events = asyncio.run(collect(self.loop))
        assert [event["sequence_number"] for event in self.events] == list(range(len(self.events)))
        self.response: JSONObject = self.events[-1]["response"]
        self.kinds = [item["type"] for item in self.response["output"]]

    def encrypted(self) -> JSON:
        (item,) = (item for item in self.response["output"] if item["type"] == "compaction")
        return inside(item["encrypted_content"])


ANSWER = [chunk(content="Four"), STOP, usage(50)]


def test_a_context_over_the_threshold_is_compacted_before_the_answer() -> None:
    model = Model(ANSWER)
    done = Compacting(model, 1001, {"context_management": OVER, "instructions": "Count."})
    assert done.kinds == ["compaction", "message"]
    assert model.asked == [{"model": "model", "messages": ASKED, "stream": False}]
    assert model.streamed[0]["messages"] == [{"role": "system", "content": "Count."}, *SHORT]
    assert done.encrypted()["summary"] == "All went well."
    assert [message["content"] for message in done.encrypted()["messages"]] == ["One", "Three"]


def test_the_events_of_a_compaction() -> None:
    done = Compacting(Model(ANSWER), 1001, {"context_management": OVER})
    first, second = done.events[2:4]
    assert (first["type"], second["type"]) == ("response.output_item.added", "response.output_item.done")
    assert first["item"] == second["item"] == done.response["output"][0]
    assert (first["output_index"], second["output_index"], done.events[4]["output_index"]) == (0, 0, 1)


def test_the_usage_holds_that_of_the_compaction() -> None:
    done = Compacting(Model(ANSWER), 1001, {"context_management": OVER, "max_output_tokens": 100})
    assert done.response["usage"]["total_tokens"] == 910 + 50
    assert done.response["usage"]["output_tokens"] == 10 + 5


@pytest.mark.parametrize("entries", [OVER, [{"type": "compaction"}]])
def test_a_context_below_the_threshold_stays(entries: JSON) -> None:
    model = Model(ANSWER)
    done = Compacting(model, 1000, {"context_management": entries})
    assert done.kinds == ["message"]
    assert model.asked == []
    assert done.response["usage"]["total_tokens"] == 50


def test_the_lowest_of_several_thresholds_counts() -> None:
    entries: JSON = [{"type": "compaction", "compact_threshold": limit} for limit in (3000, 1000)]
    assert Compacting(Model(ANSWER), 2000, {"context_management": entries}).kinds[0] == "compaction"


def test_a_reply_that_crosses_the_threshold_is_followed_by_the_compaction() -> None:
    model = Model([chunk(content="Four"), STOP, usage(1001)])
    done = Compacting(model, 10, {"context_management": OVER})
    assert done.kinds == ["message", "compaction"]
    assert model.asked[0]["messages"] == [*ASKED[:-1], {"role": "assistant", "content": "Four"}, ASKED[-1]]
    assert [message["content"] for message in done.encrypted()["messages"]] == ["One", "Three"]
    assert [event["type"] for event in done.events[-3:]] == [
        "response.output_item.added",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_reply_with_a_call_is_not_compacted_before_the_call_is_answered() -> None:
    tool = {"type": "function", "name": "f"}
    model = Model([call(0, "a", "f", "{}"), CALLED, usage(2000)])
    done = Compacting(model, 10, {"context_management": OVER, "tools": [tool]})
    assert done.kinds == ["function_call"]


def test_a_response_is_compacted_once() -> None:
    model = Model([chunk(content="Four"), STOP, usage(2000)])
    assert Compacting(model, 2000, {"context_management": OVER}).kinds == ["compaction", "message"]


def test_an_answer_stands_though_it_cannot_be_compacted() -> None:
    model = Model([chunk(content="Four"), STOP, usage(2000)], summary=UpstreamUnreachable("backend is gone"))
    done = Compacting(model, 10, {"context_management": OVER})
    assert done.response["status"] == "completed"
    assert done.kinds == ["message"]
    assert notes_of(done.call) == ["not compacted: backend is gone"]


def test_a_missing_recording_is_never_passed_over() -> None:
    model = Model([chunk(content="Four"), STOP, usage(2000)], summary=RecordingNotFound("none"))
    done = Compacting(model, 10, {"context_management": OVER})
    assert done.response["status"] == "failed"
    assert done.kinds == ["message"]


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        (UpstreamUnreachable("backend is gone"), "backend is gone"),
        ({"choices": [{"message": {"content": " "}, "finish_reason": "stop"}]}, "returned no summary"),
        ({"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]}, "finish_reason error"),
        ({"choices": [{"message": {}, "finish_reason": "content_filter"}]}, "cut off (content_filter)"),
        ({"choices": [5]}, "not a chat completion"),
    ],
)
def test_without_a_summary_there_is_no_answer(summary: JSONObject | AntiphonError, message: str) -> None:
    done = Compacting(Model(ANSWER, summary=summary), 1001, {"context_management": OVER})
    assert done.response["status"] == "failed"
    assert message in done.response["error"]["message"]
    assert done.kinds == []


def test_a_context_whose_summary_is_cut_off_is_answered_as_it_is() -> None:
    model = Model(ANSWER, summary={"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]})
    done = Compacting(model, 1001, {"context_management": OVER})
    assert done.response["status"] == "completed"
    assert done.kinds == ["message"]
    assert [note.split(": ")[0] for note in notes_of(done.call)] == ["not compacted"]


def test_a_trigger_whose_summary_is_cut_off_fails() -> None:
    summary: JSONObject = {"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}
    done = Compacting(Model(summary=summary), 0, {"input": [{"type": "compaction_trigger"}]})
    assert done.response["status"] == "failed"
    assert "cut off (length)" in done.response["error"]["message"]


def test_what_the_model_thought_is_no_part_of_the_summary() -> None:
    thought = {"message": {"content": "<think>hm</think>All went well."}, "finish_reason": "stop"}
    done = Compacting(Model(ANSWER, summary={"choices": [thought]}), 1001, {"context_management": OVER})
    assert done.encrypted()["summary"] == "All went well."


def test_a_trigger_compacts_at_once_and_asks_nothing_else() -> None:
    model = Model()
    done = Compacting(model, 0, {"input": [{"type": "compaction_trigger"}]})
    assert done.kinds == ["compaction"]
    assert done.response["status"] == "completed"
    assert [event["type"].removeprefix("response.") for event in done.events] == [
        "created",
        "in_progress",
        "output_item.added",
        "compaction.compacting",
        "output_item.done",
        "completed",
    ]
    assert done.response["usage"]["total_tokens"] == 910
    added, compacting, finished = done.events[2:5]
    assert added["item"] == {"type": "compaction", "id": finished["item"]["id"], "encrypted_content": ""}
    assert (compacting["item_id"], compacting["output_index"]) == (finished["item"]["id"], 0)


def test_a_compacted_context_is_compacted_again() -> None:
    first = Compacting(Model(ANSWER), 1001, {"context_management": OVER})
    model = Model(ANSWER)
    more = Message(id="msg_4", role="user", content="Four")
    second = Compacting(model, 1001, {"context_management": OVER}, [*first.loop.items()[:-1], more])
    assert model.asked[0]["messages"] == [*SHORT, {"role": "user", "content": "Four"}, ASKED[-1]]
    assert [message["content"] for message in second.encrypted()["messages"]] == ["One", "Three", "Four"]


def test_calls_with_their_outputs_are_summed_up() -> None:
    items: list[Item] = [
        *ITEMS,
        FunctionCall(call_id="a", name="f", arguments="{}"),
        FunctionCallOutput(call_id="a", output="5"),
    ]
    model = Model(ANSWER)
    Compacting(model, 1001, {"context_management": OVER}, items)
    assert [message["role"] for message in model.asked[0]["messages"]][-3:] == ["assistant", "tool", "user"]
    assert model.streamed[0]["messages"] == SHORT


def test_tokens_of_the_summary_are_counted_for_the_caller() -> None:
    counted: list[int] = []
    resolved = ResolvedModel(chat_model=Model(), name="model", id="backend/model")
    request = create_response.decode(b'{"model":"backend/model","input":"Hi"}')
    made = Compactor(request, resolved, RequestContext(seal=OpenSeal(), spend=counted.append), estimate_of(0))
    assert asyncio.run(made.sum_up(ITEMS)) == "All went well."
    assert counted == [910]


@pytest.mark.parametrize("error", [None, UpstreamUnreachable("up: nobody there")])
def test_the_call_for_a_summary_is_noted_as_such(error: AntiphonError | None) -> None:
    steps = StepNotes()
    model = Model(summary=error or SUMMARY)
    resolved = ResolvedModel(chat_model=model, name="model", id="backend/model")
    request = create_response.decode(b'{"model":"backend/model","input":"Hi"}')
    made = Compactor(request, resolved, RequestContext(seal=OpenSeal(), steps=steps), estimate_of(0))
    with nullcontext() if error is None else pytest.raises(UpstreamUnreachable):
        asyncio.run(made.sum_up(ITEMS))
    (note,) = steps.notes
    assert isinstance(note, ModelNote)
    assert (note.model, note.purpose, note.error) == ("backend/model", "compaction", error)
    assert [note.request] == model.asked
    assert note.ended is not None
    assert note.reply.finish_reason == ("stop" if error is None else None)


def test_a_call_that_was_approved_is_summed_up_before_the_answer() -> None:
    asked = McpApprovalRequest(id="mcpr_1", arguments="{}", name="look", server_label="s")
    approved = McpApprovalResponse(id="mcpr_2", approval_request_id="mcpr_1", approve=True)
    model = Model(ANSWER)
    body: JSONObject = {"context_management": OVER, "tools": [mcp()]}
    done = Compacting(model, 1001, body, [*ITEMS, asked, approved], FakeMcp())
    assert done.kinds == ["mcp_list_tools", "mcp_call", "compaction", "message"]
    told = [message["content"] for message in model.asked[0]["messages"] if message["role"] == "tool"]
    assert told == ["look of s"]
    assert model.streamed[0]["messages"] == SHORT


def test_what_is_too_long_to_be_summed_up_is_truncated_where_that_is_asked_for() -> None:
    answered = Compacting(
        Model(ANSWER, summary=ContextLengthExceeded("too long")),
        1001,
        {"context_management": OVER, "truncation": "auto"},
    )
    assert answered.kinds == ["message"]
    assert notes_of(answered.call) == ["not compacted: too long"]
    failed = Compacting(
        Model(ANSWER, summary=ContextLengthExceeded("too long")), 1001, {"context_management": OVER}
    )
    assert failed.response["error"]["code"] == "context_length_exceeded"
