"""`/v1/messages`: frames, headers, errors, keys and limits. The anthropic SDK is in `tests/clients`."""

import json
from pathlib import Path

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import USAGE, calls, says
from tests.server.client import Reply, call, get, post
from tests.server.keyed import SETTINGS_KEY, keyed, person
from tests.store.samples import count_rows
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk, reply, sse

ASK: JSONObject = {
    "model": "up/m",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
}
VERSION = {"anthropic-version": "2023-06-01"}


def error(answer: Reply) -> JSONObject:
    """Return the error of an answer, in Anthropic's envelope."""
    body = answer.json
    assert body["type"] == "error"
    assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    found: JSONObject = body["error"]
    assert set(found) == {"type", "message"}
    return found


def events(answer: Reply) -> list[JSONObject]:
    """Return the events of a stream, each of which has its name and its type."""
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8", answer.body
    found = []
    for frame in answer.body.decode().removesuffix("\n\n").split("\n\n"):
        name, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


@pytest.mark.parametrize("path", ["/messages", "/messages?beta=true"])
def test_a_message_has_content_and_usage(url: str, upstream: Upstream, path: str) -> None:
    upstream.script(says("Hello", " you."))
    answer = post(url, path, ASK | {"system": "Be kind."})
    body = answer.json
    assert body.pop("id").startswith("msg_")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "up/m",
        "content": [{"type": "text", "text": "Hello you."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 12,
            "output_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens_details": {"thinking_tokens": 0},
        },
    }
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert upstream.chats[0].json["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]


def test_a_stream_has_the_events_in_their_order(url: str, upstream: Upstream) -> None:
    upstream.script(says("Hello", " you."))
    answer = post(url, "/messages", ASK | {"stream": True})
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    found = events(answer)
    assert [event["type"] for event in found] == [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert found[0]["message"]["content"] == []
    assert found[0]["message"]["stop_reason"] is None
    assert found[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert found[-2]["usage"]["input_tokens"] == 12


def test_streams_and_whole_messages_have_the_same_content(url: str, upstream: Upstream) -> None:
    pieces = [chunk(reasoning_content="Hm"), chunk("one ST"), chunk("OP two"), chunk(finish="stop")]
    asked = ASK | {"stop_sequences": ["STOP"], "thinking": {"type": "adaptive"}}
    upstream.script(sse(*pieces, chunk(usage=USAGE)))
    whole = post(url, "/messages", asked).json
    upstream.script(sse(*pieces, chunk(usage=USAGE)))
    streamed = events(post(url, "/messages", asked | {"stream": True}))
    deltas = [event["delta"] for event in streamed if event["type"] == "content_block_delta"]
    thinking, text = whole["content"]
    assert (whole["stop_reason"], whole["stop_sequence"], text["text"]) == ("stop_sequence", "STOP", "one ")
    assert "".join(delta.get("text", "") for delta in deltas) == text["text"]
    assert thinking["thinking"] == "Hm"
    assert {"type": "signature_delta", "signature": thinking["signature"]} in deltas
    assert streamed[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "STOP"}
    assert streamed[-2]["usage"] == whole["usage"]


def test_the_reasoning_behind_a_signature_returns_to_the_backend(url: str, upstream: Upstream) -> None:
    answer = sse(
        chunk(reasoning_content="I look."),
        chunk(
            tool_calls=[
                {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ]
        ),
        chunk(finish="tool_calls"),
    )
    asked = ASK | {
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    }
    upstream.script(answer)
    first = post(url, "/messages", asked).json
    assert [block["type"] for block in first["content"]] == ["thinking", "tool_use"]
    result = {"type": "tool_result", "tool_use_id": first["content"][1]["id"], "content": "Rain"}
    turn = [{"role": "assistant", "content": first["content"]}, {"role": "user", "content": [result]}]
    foreign = [{"type": "thinking", "thinking": "Foreign", "signature": "antiphon1.broken"}]
    before = [*ASK["messages"], {"role": "assistant", "content": foreign}]
    upstream.script(says("It rains."))
    second = post(url, "/messages", asked | {"messages": [*before, *turn]})
    assert second.json["content"] == [{"type": "text", "text": "It rains."}]
    sent = upstream.chats[1].json
    assert "Foreign" not in json.dumps(sent)
    assert sent["messages"][-1] == {"role": "tool", "tool_call_id": "c", "content": "Rain"}
    assert sent["messages"][-2]["tool_calls"][0]["id"] == "c"
    assert sent["reasoning_effort"] == "low"


def test_messages_are_not_stored_objects(server: Serving, upstream: Upstream, database: Path) -> None:
    before = count_rows(str(database))
    upstream.script(says("Hello"))
    message = post(server.url, "/messages", ASK).json
    assert count_rows(str(database)) == before
    assert get(server.url, f"/messages/{message['id']}").status == 404
    response = message["id"].replace("msg_", "resp_")
    assert get(server.url, f"/responses/{response}").status == 404


@pytest.mark.parametrize(
    ("given", "says_in_error"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": [{"role": "user", "content": [{"type": "nothing"}]}]}, "messages[0].content[0].type"),
        ({"top_k": 1}, "top_k"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
    ],
)
def test_invalid_requests_have_anthropics_envelope(url: str, given: JSONObject, says_in_error: str) -> None:
    answer = post(url, "/messages", ASK | given)
    assert answer.status == 400
    assert error(answer)["type"] == "invalid_request_error"
    assert says_in_error in error(answer)["message"]


def test_unknown_fields_are_named_and_ignored(url: str, upstream: Upstream) -> None:
    upstream.script(says("Hello"))
    answer = post(url, "/messages", ASK | {"zzz": 1})
    assert (answer.status, answer.headers["x-antiphon-ignored"]) == (200, "zzz")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/messages", 405, "invalid_request_error"),
        ("GET", "/messages/batches", 404, "not_found_error"),
        ("GET", "/models/none/at/all", 404, "not_found_error"),
    ],
)
def test_paths_and_models_that_are_missing(url: str, method: str, path: str, status: int, kind: str) -> None:
    answer = call(url, method, path, headers=VERSION)
    assert (answer.status, error(answer)["type"]) == (status, kind)


@pytest.mark.parametrize("stream", [False, True])
def test_a_backend_that_fails_before_the_message_has_a_status(
    url: str, upstream: Upstream, stream: bool
) -> None:
    upstream.script(reply({"error": {"message": "slow down"}}, status=429, Retry_After="7"))
    answer = post(url, "/messages", ASK | {"stream": stream})
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    assert error(answer)["type"] == "rate_limit_error"


def test_a_backend_that_fails_in_the_message_ends_the_stream_with_an_error(
    url: str, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="cut"))
    answer = post(url, "/messages", ASK | {"stream": True})
    found = events(answer)
    assert found[0]["type"] == "message_start"
    assert found[-1]["type"] == "error"
    assert found[-1]["error"]["type"] == "api_error"
    assert found[-1]["request_id"] == answer.headers["request-id"]


def test_counting_has_the_system_prompt_and_the_tools(url: str, upstream: Upstream) -> None:
    asked: JSONObject = {name: ASK[name] for name in ("model", "messages")}

    def counted(**more: JSON) -> int:
        answer = post(url, "/messages/count_tokens?beta=true", asked | more)
        assert (answer.status, list(answer.json)) == (200, ["input_tokens"])
        number: int = answer.json["input_tokens"]
        return number

    plain = counted()
    assert counted(system="y" * 400) >= plain + 100
    tool = {"name": "f", "description": "x" * 400, "input_schema": {"type": "object"}}
    assert counted(tools=[tool]) >= plain + 100
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    assert counted(messages=[{"role": "user", "content": [image]}]) > plain
    assert upstream.chats == []


def test_the_models_have_the_keys_of_both_apis(url: str) -> None:
    answer = call(url, "GET", "/models?limit=1", headers=VERSION)
    body = answer.json
    assert (body["object"], body["has_more"], body["first_id"]) == ("list", True, body["data"][0]["id"])
    model = body["data"][0]
    assert (model["object"], model["type"], model["display_name"]) == ("model", "model", model["id"])
    rest = call(url, "GET", f"/models?after_id={model['id']}", headers=VERSION).json
    assert model["id"] not in [each["id"] for each in rest["data"]]
    assert call(url, "GET", f"/models/{model['id']}", headers=VERSION).json == model
    assert "type" not in get(url, "/models").json["data"][0]


def test_the_probe_of_a_client_gets_an_answer(url: str) -> None:
    answer = call(url.removesuffix("/v1"), "HEAD", "/")
    assert (answer.status, answer.body) == (404, b"")


def test_keys_and_limits_hold(tmp_path: Path, upstream: Upstream) -> None:
    upstream.script(calls(("c", "f", {})))
    with keyed(tmp_path / "state.db", upstream) as server:
        for headers in ({}, {"x-api-key": "wrong"}):
            refused = call(server.url, "POST", "/messages", ASK, headers)
            assert (refused.status, error(refused)["type"]) == (401, "authentication_error")
        limited = person(server, "ann", requests_per_minute=1)
        for headers in ({"x-api-key": limited.key}, {"authorization": f"Bearer {SETTINGS_KEY}"}):
            assert call(server.url, "POST", "/messages", ASK, headers).status == 200
        over = call(server.url, "POST", "/messages", ASK, {"x-api-key": limited.key})
        assert (over.status, error(over)["type"]) == (429, "rate_limit_error")
        assert int(over.headers["retry-after"]) > 0
