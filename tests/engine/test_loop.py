import asyncio
from collections.abc import AsyncGenerator

import msgspec
import pytest

from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    InvalidRequest,
    RecordingNotFound,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.items import FunctionCallOutput, Message
from antiphon.wire.json import JSON, JSONObject
from tests.engine.looping import NOW, ScriptedModel, collect, loop, run
from tests.engine.replies import CALLED, STOP, USAGE, as_wire, call, chunk, raw
from tests.engine.seals import OpenSeal, inside
from tests.support.schemas import check_response

HELLO = [[chunk(role="assistant", content="")], [chunk(content="Hel"), chunk(content="lo")], [STOP, USAGE]]


def kinds(events: list[JSONObject]) -> list[str]:
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return [event["type"].removeprefix("response.") for event in events]


def ran(model: ScriptedModel, body: JSONObject | None = None) -> list[JSONObject]:
    return asyncio.run(run(model, body))


def test_the_events_of_a_completed_response() -> None:
    model = ScriptedModel(HELLO)
    events = ran(model)
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    for event in events[:2]:
        response = event["response"]
        assert (response["status"], response["output"], response["usage"]) == ("in_progress", [], None)
        assert response["completed_at"] is None
    last = events[-1]["response"]
    assert last["output"] == [events[-2]["item"]]
    assert (last["status"], last["completed_at"], last["error"]) == ("completed", int(NOW), None)
    assert last["service_tier"] == "default"
    assert model.closed == 1


def test_one_batch_comes_out_for_each_that_goes_in() -> None:
    async def sizes() -> list[int]:
        return [len(batch) async for batch in loop(ScriptedModel(HELLO)).events()]

    assert asyncio.run(sizes()) == [2, 4, 4]


def test_the_request_that_the_model_gets() -> None:
    model = ScriptedModel(HELLO)
    ran(model)
    assert [request["model"] for request in model.requests] == ["model"]
    assert model.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]


def test_usage() -> None:
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 12,
        "total_tokens": 42,
        "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 8},
    }
    events = ran(ScriptedModel([[STOP], [raw({"choices": [], "usage": usage})]]))
    found = events[-1]["response"]["usage"]
    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == (30, 12, 42)
    assert found["input_tokens_details"]["cached_tokens"] == 20
    assert found["output_tokens_details"] == {"reasoning_tokens": 8}


@pytest.mark.parametrize(
    ("usage", "total"),
    [({"prompt_tokens": 3, "completion_tokens": 4}, 7), ({}, 0), ({"prompt_tokens": None}, 0)],
)
def test_usage_that_is_not_whole(usage: JSON, total: int) -> None:
    events = ran(ScriptedModel([[STOP, raw({"choices": [], "usage": usage})]]))
    found = events[-1]["response"]["usage"]
    assert found["total_tokens"] == total
    assert found["output_tokens_details"] == {"reasoning_tokens": 0}


def test_usage_that_is_missing_is_not_invented() -> None:
    assert ran(ScriptedModel([[STOP]]))[-1]["response"]["usage"] is None


@pytest.mark.parametrize(("sent", "told"), [("flex", "flex"), ("on_demand", "default"), (None, "default")])
def test_only_tiers_that_the_api_knows_are_returned(sent: str | None, told: str) -> None:
    events = ran(ScriptedModel([[raw({"choices": [], "service_tier": sent}), STOP]]))
    assert events[-1]["response"]["service_tier"] == told


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_F33_F34_incomplete(reason: str, told: str) -> None:
    events = ran(ScriptedModel([[chunk(content="Once")], [chunk(reason), USAGE]]))
    last = events[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["status"] == "incomplete"
    assert last["response"]["incomplete_details"] == {"reason": told}
    assert last["response"]["completed_at"] is None
    assert last["response"]["usage"]["total_tokens"] == 7
    assert last["response"]["output"][0]["status"] == "incomplete"


ERRORS = [
    UpstreamUnreachable("backend: connection refused"),
    UpstreamTimeout("backend: no answer within 600 s"),
    UpstreamBroken("backend: HTML instead of JSON"),
    UpstreamRefused("backend: bad request", upstream_status=400),
    UpstreamRefused("backend: wrong key", upstream_status=401),
    UpstreamRefused("backend: you have no quota", upstream_status=429, code="insufficient_quota"),
    UpstreamRefused("backend: overloaded", upstream_status=503),
    ContextLengthExceeded("Your input exceeds the context window of this model."),
    RecordingNotFound("no recording"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {error.status}")
def test_errors_before_the_first_byte(error: AntiphonError) -> None:
    model = ScriptedModel([], error)
    events = ran(model)
    assert kinds(events) == ["created", "in_progress", "error", "failed"]
    assert events[2]["error"] == {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    response = events[3]["response"]
    assert (response["status"], response["output"], response["usage"]) == ("failed", [], None)
    assert response["error"] == {
        "code": error.response_code,
        "message": error.message,
        "param": error.param,
        "type": error.type,
    }
    assert response["completed_at"] is None
    assert model.closed == 1


@pytest.mark.parametrize("code", [None, "rate_limit_exceeded", "tokens_per_minute"])
def test_a_rate_limit_has_no_error_event(code: str | None) -> None:
    events = ran(ScriptedModel([], UpstreamRefused("slow down", upstream_status=429, code=code)))
    assert kinds(events) == ["created", "in_progress", "failed"]
    shown = events[-1]["response"]["error"]
    assert (shown["code"], shown["message"]) == ("rate_limit_exceeded", "slow down")


def test_a_failure_mid_text_keeps_the_text_as_incomplete() -> None:
    events = ran(ScriptedModel([[chunk(content="Once ")], [chunk(content="upon")]], UpstreamBroken("cut")))
    assert kinds(events)[-3:] == ["output_text.delta", "error", "failed"]
    item = events[-1]["response"]["output"][0]
    assert item["status"] == "incomplete"
    assert item["content"][0]["text"] == "Once upon"
    assert item["id"] == events[2]["item"]["id"]


def test_a_failure_keeps_the_items_that_were_done() -> None:
    batches = [[chunk(content="I look.")], [call(0, "a", "f", '{"x"')]]
    output = ran(ScriptedModel(batches, UpstreamBroken("cut")))[-1]["response"]["output"]
    assert [(item["type"], item["status"]) for item in output] == [
        ("message", "completed"),
        ("function_call", "incomplete"),
    ]


def test_a_broken_chunk_ends_the_reading() -> None:
    model = ScriptedModel([[chunk(content="a"), b"{"], [chunk(content="never read")], [STOP]])
    events = ran(model)
    assert kinds(events)[-2:] == ["error", "failed"]
    assert "sent a broken chunk" in events[-1]["response"]["error"]["message"]
    assert model.closed == 1


def test_an_empty_stream_fails() -> None:
    events = ran(ScriptedModel([]))
    assert kinds(events) == ["created", "in_progress", "error", "failed"]
    assert events[-1]["response"]["error"]["code"] == "server_error"


def test_a_failure_is_known_to_who_made_the_loop() -> None:
    error = UpstreamBroken("cut")
    failed, fine = loop(ScriptedModel([], error)), loop(ScriptedModel(HELLO))
    asyncio.run(collect(failed))
    asyncio.run(collect(fine))
    assert (failed.failure, fine.failure) == (error, None)


def test_a_failure_from_outside_takes_the_place_of_the_last_event() -> None:
    made = loop(ScriptedModel(HELLO))

    async def all_but_the_last() -> list[JSONObject]:
        batches = [batch async for batch in made.events()]
        last = batches[-1].pop()
        batches.append(made.fail(StoreUnavailable("disk full"), instead_of=last))
        return [event for batch in batches for event in as_wire(batch)]

    events = asyncio.run(all_but_the_last())
    assert kinds(events)[-3:] == ["output_item.done", "error", "failed"]
    response = events[-1]["response"]
    check_response(response)
    assert (response["error"]["code"], response["error"]["message"]) == ("server_error", "disk full")
    assert [item["content"][0]["text"] for item in response["output"]] == ["Hello"]


@pytest.mark.parametrize("after", [1, 2, 3])
def test_closing_the_events_closes_the_models_stream(after: int) -> None:
    """The events may close before the first byte, when there is no stream to close."""
    model = ScriptedModel([*HELLO, *HELLO])

    async def leave() -> None:
        events = loop(model).events()
        for _ in range(after):
            await anext(events)
        await events.aclose()

    asyncio.run(leave())
    assert model.closed == len(model.requests) == (0 if after == 1 else 1)


def test_cancelled() -> None:
    made = loop(ScriptedModel([[chunk(content="Once")], [chunk(content=" upon")]]))

    async def leave() -> None:
        events = made.events()
        await anext(events)
        await anext(events)
        await events.aclose()

    asyncio.run(leave())
    response = as_wire([made.cancel()])[0]
    check_response(response)
    assert (response["status"], response["error"], response["completed_at"]) == ("cancelled", None, None)
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["text"] == "Once"


def test_cancelling_the_task_closes_the_models_stream() -> None:
    class Silent(ScriptedModel):
        """Chat model that stops after its first chunk."""

        def __init__(self) -> None:
            super().__init__([])
            self.is_waiting = asyncio.Event()

        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
            try:
                yield [chunk(content="a")]
                self.is_waiting.set()
                await asyncio.Event().wait()
            finally:
                self.closed += 1

    async def cancel() -> int:
        model = Silent()
        task = asyncio.create_task(collect(loop(model)))
        await model.is_waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return model.closed

    assert asyncio.run(cancel()) == 1


def test_a_request_that_no_backend_can_be_given_fails_before_the_stream() -> None:
    items = [FunctionCallOutput(call_id="a", output="x")]
    with pytest.raises(InvalidRequest, match="No tool call found"):
        loop(ScriptedModel(HELLO), items=[*items])


def test_calls_in_namespaces() -> None:
    tools: JSON = [
        {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "f"}]}
    ]
    events = ran(ScriptedModel([[call(0, "a", "crm__f", "{}"), CALLED]]), {"tools": tools})
    item = events[-1]["response"]["output"][0]
    assert (item["namespace"], item["name"]) == ("crm", "f")


LOGPROBS = {"content": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]}


@pytest.mark.parametrize(("include", "shown"), [([], 0), (["message.output_text.logprobs"], 1)])
def test_include_logprobs(include: JSON, shown: int) -> None:
    choice = {"index": 0, "delta": {"content": "Hi"}, "logprobs": LOGPROBS}
    events = ran(ScriptedModel([[raw({"choices": [choice]}), STOP]]), {"include": include})
    assert len(events[-1]["response"]["output"][0]["content"][0]["logprobs"]) == shown


@pytest.mark.parametrize(("include", "is_shown"), [([], False), (["reasoning.encrypted_content"], True)])
def test_include_encrypted_reasoning(include: JSON, is_shown: bool) -> None:
    entry = {"type": "reasoning.encrypted", "data": "QUJD"}
    model = ScriptedModel([[chunk(reasoning_details=[entry]), chunk(content="a"), STOP]])
    events = asyncio.run(collect(loop(model, {"include": include}, seal=OpenSeal())))
    items = [event["item"] for event in events if event.get("output_index") == 0]
    assert ["encrypted_content" in item for item in items] == [is_shown, is_shown]
    # The last event has the complete item for the store; the service removes fields for the client.
    assert inside(events[-1]["response"]["output"][0]["encrypted_content"])["details"] == [entry]


@pytest.mark.parametrize(
    ("think_tags", "kinds_of_items"), [(True, ["reasoning", "message"]), (False, ["message"])]
)
def test_think_tags_are_read_where_the_backend_sends_them(
    think_tags: bool, kinds_of_items: list[str]
) -> None:
    model = ScriptedModel(
        [[chunk(content="<think>a</think>b"), STOP]], capabilities=Capabilities(think_tags=think_tags)
    )
    assert [item["type"] for item in ran(model)[-1]["response"]["output"]] == kinds_of_items


def test_what_an_interrupted_call_left_is_in_the_output_and_in_no_prompt() -> None:
    model = ScriptedModel(HELLO)
    left = [Message(id="msg_cut", role="assistant", status="incomplete", content=[])]
    made = loop(model)
    made._prompt.model = msgspec.structs.replace(made.model, interrupted=left.copy)
    events = asyncio.run(collect(made))
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == [1]
    output = events[-1]["response"]["output"]
    assert [item["id"] for item in output] == ["msg_cut", added[0]["item"]["id"]]
    assert output[0] == {
        "type": "message",
        "id": "msg_cut",
        "status": "incomplete",
        "content": [],
        "role": "assistant",
    }
    assert [message["content"] for message in model.requests[0]["messages"]] == ["Hi"]
