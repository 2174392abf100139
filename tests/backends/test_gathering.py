"""Non-streaming requests to a backend that receives requests for streams only."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from antiphon.backends import gathering
from antiphon.backends.chat_model import HttpChatModel
from antiphon.errors import ContextLengthExceeded, UpstreamBroken
from antiphon.settings.backends import Capabilities
from antiphon.wire.json import JSON, JSONObject
from tests.backends.calls import REQUEST, against, streamed
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, sse

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
STREAM = sse(chunk(role="assistant"), chunk("Hel"), chunk("lo"), chunk(finish="stop"), chunk(usage=USAGE))
TEXT: JSONObject = {"model": "m", "prompt": "Say hello"}


def ask(
    call: Callable[[HttpChatModel], Awaitable[JSON]], answer: Answer, *, stream_usage: bool = True
) -> tuple[JSON, JSONObject]:
    """Return the result of a call, and the request that the backend received."""
    with Upstream() as upstream:
        upstream.script(answer)
        result = against(
            upstream, call, capabilities=Capabilities(always_stream=True, stream_usage=stream_usage)
        )
        [request] = upstream.requests
        return result, request.json


async def complete(model: HttpChatModel) -> JSON:
    return json.loads(await model.complete(REQUEST))


def test_a_reply_is_gathered_from_a_stream() -> None:
    whole, request = ask(complete, STREAM)
    assert request == {**REQUEST, "stream": True, "stream_options": {"include_usage": True}}
    assert whole["choices"][0]["message"]["content"] == "Hello"
    assert (whole["choices"][0]["finish_reason"], whole["usage"]) == ("stop", USAGE)


def test_usage_is_not_asked_for_without_its_switch() -> None:
    assert ask(complete, STREAM, stream_usage=False)[1] == {**REQUEST, "stream": True}


def test_chunks_are_passed_to_the_engine_as_they_arrive() -> None:
    chunks, request = ask(lambda model: streamed(model, REQUEST), STREAM)
    assert (len(chunks), request["stream"]) == (5, True)


def test_a_text_completion_is_gathered_from_a_stream() -> None:
    pieces = (
        {"choices": [{"index": 0, "text": "Hel"}]},
        {"choices": [{"text": "lo", "finish_reason": "stop"}]},
    )
    whole, request = ask(lambda model: model.ask("completions", TEXT), sse(*pieces))
    assert (request["stream"], whole["choices"][0]["text"]) == (True, "Hello")


def test_embeddings_are_never_streamed() -> None:
    answer = {"data": [{"embedding": [1.0]}]}
    body: JSONObject = {"model": "m", "input": "a"}
    assert ask(lambda model: model.ask("embeddings", body), reply(answer)) == (answer, body)


def test_a_backend_may_reply_without_a_stream() -> None:
    assert ask(complete, reply(completion("Hello")))[0] == completion("Hello")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (sse(chunk("Hel")), "ended without a finish_reason"),
        (sse(), "ended without a finish_reason"),
        (Answer([b"data: {\n\n"]), "a chunk of its answer is broken"),
        (sse(chunk("Hel"), {"error": {"message": "out of memory"}}), "out of memory"),
        (sse({"message": "out of memory", "code": 500}), "out of memory"),
        (reply({"error": {"message": "out of memory"}}), "out of memory"),
        (sse({"choices": [{"finish_reason": "stop", "delta": 7}]}), "contains no chat completion"),
        (Answer([b'data: {"choices":[]}\n\n'], end="cut"), "the connection was cut"),
    ],
)
def test_a_stream_that_is_no_reply_is_broken(answer: Answer, problem: str) -> None:
    with pytest.raises(UpstreamBroken, match=f"^house: .*{problem}"):
        ask(complete, answer)


def test_an_error_in_the_stream_keeps_its_meaning() -> None:
    error = {"error": {"message": "Too long.", "code": "context_length_exceeded"}}
    with pytest.raises(ContextLengthExceeded):
        ask(complete, sse(error))


def test_a_gathered_reply_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MAX_EVENT_BYTES", 300)
    with pytest.raises(UpstreamBroken, match=r"^house: an answer of more than 300 bytes$"):
        ask(complete, STREAM)


def test_an_abandoned_reply_closes_its_stream() -> None:
    async def run(model: HttpChatModel) -> None:
        task = asyncio.create_task(model.complete(REQUEST))
        assert await asyncio.to_thread(upstream.hanging.wait, 5)
        assert upstream.requests[0].json["stream"] is True
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(upstream.disconnected.wait, 5)

    with Upstream() as upstream:
        upstream.script(Answer([b'data: {"choices":[]}\n\n'], end="hang"))
        against(upstream, run, capabilities=Capabilities(always_stream=True))
