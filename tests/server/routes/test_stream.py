"""A stream on the wire: frames, headers, the order of events, and the responses inside them."""

import json
import socket

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import check_life_cycle, get, post, types
from tests.server.faults import TEXT, USAGE, call, data, raw
from tests.server.http.test_disconnect import sent
from tests.support.upstream import Answer, Upstream, chunk, sse

KEYS = {
    *("id", "object", "created_at", "status", "background", "completed_at", "error", "frequency_penalty"),
    *("incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model"),
    *("output", "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt_cache_key"),
    *("reasoning", "safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice"),
    *("tools", "top_logprobs", "top_p", "truncation", "usage"),
}
"""The 31 keys that every response has."""
MORE_KEYS = {"prompt_cache_retention", "user"}
"""Further keys that api.openai.com sends (recorded)."""

TOOLS: list[JSON] = [{"type": "function", "name": name, "parameters": {}} for name in ("f", "g")]
OPEN = ["created", "in_progress"]
MESSAGE = ["output_item.added", "content_part.added"]
END = ["output_text.done", "content_part.done", "output_item.done"]
CALL = [
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
]


def ask(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi", "stream": True} | more


def http_chunks(connection: socket.socket) -> tuple[str, list[str]]:
    """Return the head of an answer, and the chunks of its body as the server sent them."""
    received = b""
    while not received.endswith(b"\r\n0\r\n\r\n"):
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    chunks: list[str] = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            return head.decode().lower(), chunks
        chunks.append(rest[: int(size, 16)].decode())
        rest = rest[int(size, 16) + 2 :]


def streamed(url: str, upstream: Upstream, answer: Answer, **more: JSON) -> list[JSON]:
    """Return the events of a stream, checked against the rules for every stream."""
    upstream.script(answer)
    reply = post(url, "/responses", ask(**more))
    assert reply.status == 200, reply.body
    events = reply.payloads
    check_life_cycle(events)
    return events


def test_frames(url: str, upstream: Upstream) -> None:
    # One network read from the backend leads to one write to the client.
    upstream.script(
        raw(data(chunk("Hel")) + data(chunk("lo")) + data(chunk(finish="stop")) + b"data: [DONE]\n\n")
    )
    with sent(url, "/responses", ask()) as connection:
        head, chunks = http_chunks(connection)
    # One write has the terminal event and the end of the stream.
    assert chunks[-1].endswith("\n\ndata: [DONE]\n\n")
    chunks[-1] = chunks[-1].removesuffix("data: [DONE]\n\n")
    names = []
    for written in chunks:
        assert written.endswith("\n\n")
        batch = []
        for frame in written.removesuffix("\n\n").split("\n\n"):
            first, second = frame.split("\n")
            event = json.loads(second.removeprefix("data: "))
            assert first == f"event: {event['type']}"
            batch.append(event)
        names.append(types(batch))
    assert names == [
        OPEN,
        [*MESSAGE, "output_text.delta", "output_text.delta"],
        [*END, "completed"],
    ]
    assert "\r\ncontent-type: text/event-stream; charset=utf-8" in head
    assert "\r\ncache-control: no-cache" in head
    assert "\r\nx-request-id: req_" in head
    assert "content-length" not in head


def test_text(url: str, upstream: Upstream) -> None:
    events = streamed(url, upstream, TEXT)
    assert types(events) == [*OPEN, *MESSAGE, "output_text.delta", "output_text.delta", *END, "completed"]
    added, part = events[2], events[3]
    assert added["item"] | {"id": ""} == {
        "type": "message",
        "id": "",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    assert part["part"] == {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    assert [event["delta"] for event in events if "delta" in event] == ["Hel", "lo"]
    assert events[6]["text"] == "Hello"
    assert events[7]["part"] == part["part"] | {"text": "Hello"}
    done = events[8]["item"]
    assert done == added["item"] | {"status": "completed", "content": [events[7]["part"]]}
    assert events[-1]["response"]["output"] == [done]
    assert done["id"].startswith("msg_")
    places = {(e["item_id"], e["output_index"], e["content_index"]) for e in events[3:8]}
    assert places == {(done["id"], 0, 0)}


def test_empty_text(url: str, upstream: Upstream) -> None:
    events = streamed(url, upstream, sse(chunk("", role="assistant"), chunk(finish="stop")))
    assert types(events) == [*OPEN, *MESSAGE, *END, "completed"]


def test_a_function_call(url: str, upstream: Upstream) -> None:
    answer = sse(*call('{"a":', "1}"), chunk(finish="tool_calls"))
    events = streamed(url, upstream, answer, tools=TOOLS)
    assert types(events) == [*OPEN, *CALL, "completed"]
    added, done = events[2]["item"], events[6]["item"]
    assert added | {"id": ""} == {
        "type": "function_call",
        "id": "",
        "status": "in_progress",
        "arguments": "",
        "call_id": "call_1",
        "name": "f",
    }
    assert done == added | {"status": "completed", "arguments": '{"a":1}'}
    assert done["id"].startswith("fc_")
    assert (events[5]["arguments"], events[5]["name"]) == ('{"a":1}', "f")


def test_parallel_function_calls(url: str, upstream: Upstream) -> None:
    answer = sse(
        chunk("Let me see."),
        *call('{"a":', "1}", index=0, call_id="call_1"),
        *call('{"b":', "2}", index=1, call_id="call_2", name="g"),
        chunk(finish="tool_calls"),
    )
    events = streamed(url, upstream, answer, tools=TOOLS)
    assert types(events) == [*OPEN, *MESSAGE, "output_text.delta", *END, *CALL, *CALL, "completed"]
    added = [e["output_index"] for e in events if e["type"] == "response.output_item.added"]
    assert added == [0, 1, 2]
    calls = events[-1]["response"]["output"][1:]
    assert [(c["call_id"], c["name"], c["arguments"]) for c in calls] == [
        ("call_1", "f", '{"a":1}'),
        ("call_2", "g", '{"b":2}'),
    ]


def test_reasoning(url: str, upstream: Upstream) -> None:
    answer = sse(
        chunk(reasoning_content="Hm"), chunk(reasoning_content="."), chunk("Hi"), chunk(finish="stop")
    )
    events = streamed(url, upstream, answer)
    assert types(events) == [
        *OPEN,
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        *MESSAGE,
        "output_text.delta",
        *END,
        "completed",
    ]
    item = events[8]["item"]
    assert "status" not in item
    assert item | {"id": ""} == {
        "type": "reasoning",
        "id": "",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
    }


def test_refusal(url: str, upstream: Upstream) -> None:
    events = streamed(url, upstream, sse(chunk(refusal="I "), chunk(refusal="won't."), chunk(finish="stop")))
    assert types(events) == [
        *OPEN,
        *MESSAGE,
        "refusal.delta",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert events[3]["part"] == {"type": "refusal", "refusal": ""}
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't."}]


def test_logprobs(url: str, upstream: Upstream) -> None:
    token: JSONObject = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]}
    token["top_logprobs"] = [dict(token)]
    first = chunk("Hi")
    first["choices"][0]["logprobs"] = {"content": [token], "refusal": None}
    answer = sse(first, chunk(finish="stop"))
    events = streamed(url, upstream, answer, include=["message.output_text.logprobs"], top_logprobs=1)
    assert events[4]["logprobs"] == events[5]["logprobs"] == [token]
    assert events[-1]["response"]["output"][0]["content"][0]["logprobs"] == [token]
    assert (upstream.chats[0].json["logprobs"], upstream.chats[0].json["top_logprobs"]) == (True, 1)
    events = streamed(url, upstream, answer)
    assert events[4]["logprobs"] == events[5]["logprobs"] == []


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_incomplete(url: str, upstream: Upstream, finish: str, reason: str) -> None:
    answer = sse(chunk("Hel"), chunk(finish=finish), chunk(usage=USAGE))
    events = streamed(url, upstream, answer)
    assert types(events) == [*OPEN, *MESSAGE, "output_text.delta", *END, "incomplete"]
    response = events[-1]["response"]
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": reason}
    assert response["completed_at"] is None
    assert response["usage"]["total_tokens"] == 5
    assert response["output"][0]["status"] == events[7]["item"]["status"] == "incomplete"


def test_every_response_has_every_key(url: str, upstream: Upstream) -> None:
    events = streamed(url, upstream, TEXT)
    embedded = [event["response"] for event in events if "response" in event]
    assert len(embedded) == 3
    upstream.script(TEXT)
    whole = post(url, "/responses", ask(stream=False)).json
    for response in (*embedded, whole, get(url, f"/responses/{whole['id']}").json):
        assert response.keys() == KEYS | MORE_KEYS
    assert embedded[0] == embedded[1]
    assert (embedded[0]["status"], embedded[0]["output"], embedded[0]["usage"]) == ("in_progress", [], None)
    assert embedded[0]["completed_at"] is None
    assert embedded[2]["completed_at"] >= embedded[2]["created_at"] == embedded[0]["created_at"]
    assert isinstance(embedded[2]["completed_at"], int)
    assert embedded[2]["id"] == embedded[0]["id"]
    assert embedded[2]["id"].startswith("resp_")


def test_usage(url: str, upstream: Upstream) -> None:
    usage: JSONObject = USAGE | {
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    events = streamed(url, upstream, sse(chunk("Hi"), chunk(finish="stop"), chunk(usage=usage)))
    assert events[-1]["response"]["usage"] == {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 5,
    }
    assert upstream.chats[0].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("stream", [True, False])
def test_usage_is_null_where_the_backend_sends_none_although_it_was_asked(
    url: str, upstream: Upstream, stream: bool
) -> None:
    upstream.script(sse(chunk("Hi"), chunk(finish="stop")))
    answer = post(url, "/responses", ask(stream=stream))
    response = answer.payloads[-1]["response"] if stream else answer.json
    assert (response["status"], response["usage"]) == ("completed", None)
    assert get(url, f"/responses/{response['id']}").json["usage"] is None
    if stream:
        assert upstream.chats[0].json["stream_options"] == {"include_usage": True}


def test_service_tier(url: str, upstream: Upstream) -> None:
    answer = sse(chunk("Hi") | {"service_tier": "flex"}, chunk(finish="stop"))
    events = streamed(url, upstream, answer, service_tier="flex")
    assert [e["response"]["service_tier"] for e in events if "response" in e] == ["flex", "flex", "flex"]
    events = streamed(url, upstream, TEXT)
    assert [e["response"]["service_tier"] for e in events if "response" in e] == ["auto", "auto", "default"]


def test_every_stream_has_its_own_request_id(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    ids = {post(url, "/responses", ask()).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
