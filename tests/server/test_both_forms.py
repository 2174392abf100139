"""Streams and non-streaming replies of a backend become the same response, both returned and stored."""

from pathlib import Path

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import get, post
from tests.support.serving import Serving, backends
from tests.support.upstream import Answer, Upstream, chunk, sse, streaming

STOP = chunk(finish="stop")
USAGE = chunk(
    usage={
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
)


def call(index: int, name: str, *arguments: str) -> list[JSON]:
    head = {"index": index, "id": f"call_{index}", "function": {"name": name, "arguments": ""}}
    pieces = [{"index": index, "function": {"arguments": piece}} for piece in arguments]
    return [chunk(tool_calls=[delta]) for delta in (head, *pieces)]


def with_logprob(token: str) -> JSONObject:
    given = chunk(token)
    given["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -0.5, "top_logprobs": []}]}
    return given


REPLIES: dict[str, Answer] = {
    "text": sse(chunk("", role="assistant"), chunk("Hel"), chunk("lo"), STOP, USAGE),
    "usage_missing": sse(chunk("Hel"), chunk("lo"), STOP),
    "service_tier": sse(chunk("Hello") | {"service_tier": "priority"}, STOP, USAGE),
    "reasoning": sse(chunk(reasoning="H"), chunk(reasoning="m."), chunk("Hello"), STOP, USAGE),
    "reasoning_content": sse(
        chunk(reasoning_content="H"), chunk(reasoning_content="m."), chunk("Hello"), STOP
    ),
    "reasoning_details": sse(
        chunk(reasoning_details=[{"type": "reasoning.text", "text": "Hm.", "signature": "s"}]),
        chunk("Hello"),
        STOP,
    ),
    "think_tags": sse(chunk("<thi"), chunk("nk>Hm.</th"), chunk("ink>\n\nHel"), chunk("lo"), STOP),
    "pieces": sse(
        chunk(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]),  # type: ignore[arg-type]
        chunk(content=[{"type": "text", "text": "Hello"}]),  # type: ignore[arg-type]
        STOP,
    ),
    "refusal": sse(chunk(refusal="I will"), chunk(refusal=" not."), STOP, USAGE),
    "logprobs": sse(with_logprob("Hel"), with_logprob("lo"), STOP, USAGE),
    "call_without_text": sse(*call(0, "f", '{"a"', ":1}"), chunk(finish="tool_calls"), USAGE),
    "parallel_calls": sse(
        chunk("Well."), *call(0, "f", "{}"), *call(1, "f", "{}"), *call(2, "g"), chunk(finish="tool_calls")
    ),
    "cut_off": sse(chunk("Hel"), chunk(finish="length"), USAGE),
    "filtered": sse(chunk("Hel"), chunk(finish="content_filter"), USAGE),
    "nothing_said": sse(chunk(""), STOP, USAGE),
}


def asked(server: Serving, *, stream: bool) -> JSONObject:
    tools = [{"type": "function", "name": name, "parameters": {"type": "object"}} for name in ("f", "g")]
    include = ["message.output_text.logprobs"]
    body = {"model": "up/m", "input": "Hi", "stream": stream, "tools": tools, "include": include}
    answer = post(server.url, "/responses", body)
    response: JSONObject = answer.last if stream else answer.json
    assert get(server.url, f"/responses/{response['id']}").json == response
    return response


def without_ids(response: JSONObject) -> JSONObject:
    items = [{key: value for key, value in item.items() if key != "id"} for item in response["output"]]
    made_here = ("id", "created_at", "completed_at")
    return {key: value for key, value in response.items() if key not in made_here} | {"output": items}


@pytest.mark.parametrize("answer", REPLIES.values(), ids=REPLIES)
def test_either_form_makes_the_same_response(server: Serving, upstream: Upstream, answer: Answer) -> None:
    assert answer.whole is not None
    whole = Answer([answer.whole], headers={"Content-Type": "application/json"}, length=True)
    upstream.script(answer, answer, streaming(answer), whole)
    ways = [asked(server, stream=stream) for stream in (True, False, False, True)]
    assert [request.json.get("stream") for request in upstream.chats] == [True, None, None, True]
    first, *others = map(without_ids, ways)
    assert [other == first for other in others] == [True] * 3, (first, others)
    assert first["status"] in ("completed", "incomplete")


def test_the_sample(tmp_path: Path) -> None:
    request: JSONObject = {"model": "antiphon/sample", "input": "Tell me about Paris."}
    with Serving(tmp_path / "state.db", backends()) as server:
        whole = post(server.url, "/responses", request).json
        streamed = post(server.url, "/responses", request | {"stream": True}).last
    assert whole["usage"]["output_tokens"] > 0
    assert whole["usage"] == streamed["usage"]
    assert whole["output"][0]["content"] == streamed["output"][0]["content"]
