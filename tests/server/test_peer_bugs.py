"""Bugs of other servers that concern HTTP; `tests/engine/test_peer_bugs.py` has those of translation."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import call, get, post, types
from tests.server.faults import TEXT
from tests.support.upstream import Upstream, chunk, html, reply, sse


def ask(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi"} | more


def test_open_responses_server_stream_false(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    answer = post(url, "/responses", ask(stream=False))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["output"][0]["content"][0]["text"] == "Hello"


def test_open_responses_server_a_string_is_one_message(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    response = post(url, "/responses", ask(input="Hello there")).json
    assert upstream.chats[0].json["messages"] == [{"role": "user", "content": "Hello there"}]
    (item,) = get(url, f"/responses/{response['id']}/input_items").json["data"]
    assert item["content"] == [{"type": "input_text", "text": "Hello there"}]


@pytest.mark.parametrize(
    "body",
    [ask(temperature="hot"), ask(input=[{"role": "zzz"}]), ask(tools=[{}]), {"input": "Hi"}, [], "x", None],
)
def test_vllm_responses_no_422_and_no_detail(url: str, upstream: Upstream, body: JSON) -> None:
    answer = post(url, "/responses", body)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert "Traceback" not in answer.error["message"]
    assert "msgspec" not in answer.error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/responses/resp_nope"),
        ("DELETE", "/responses/resp_nope"),
        ("GET", "/responses/resp_nope/input_items"),
        ("GET", "/conversations/conv_nope"),
        ("GET", "/models/nope"),
        ("GET", "/nope"),
    ],
)
def test_ogx_404_has_the_envelope(url: str, method: str, path: str) -> None:
    answer = call(url, method, path)
    assert answer.status == 404
    assert answer.error["type"] == "invalid_request_error"
    assert "client." not in answer.error["message"]


def test_vllm_responses_a_missing_response_has_no_code_of_its_own(url: str) -> None:
    assert get(url, "/responses/resp_nope").error == {
        "message": "Response with id 'resp_nope' not found.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_ogx_400_names_the_place_in_words(url: str) -> None:
    error = post(url, "/responses", ask(max_tool_calls="3")).error
    assert error == {
        "message": "Invalid type for 'max_tool_calls': expected an integer, but got a string instead.",
        "type": "invalid_request_error",
        "param": "max_tool_calls",
        "code": "invalid_type",
    }


def test_ogx_an_unknown_conversation_is_not_found(url: str) -> None:
    assert post(url, "/responses", ask(conversation="conv_nope")).status == 404


def test_ogx_a_lone_surrogate_is_no_500(url: str) -> None:
    assert post(url, "/responses", rb'{"model": "up/m", "input": "\ud800"}').status == 400


@pytest.mark.parametrize("stream", [True, False])
def test_ogx_and_litellm_a_rate_limit_is_reported_at_once(url: str, upstream: Upstream, stream: bool) -> None:
    upstream.script(reply({"error": {"message": "slow down"}}, status=429, Retry_After="7"))
    answer = post(url, "/responses", ask(stream=stream))
    assert len(upstream.chats) == 1
    if stream:
        assert types(answer.payloads) == ["created", "in_progress", "failed"]
        error = answer.last["error"]
        assert (error["code"], error["message"]) == ("rate_limit_exceeded", "up: slow down")
    else:
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert answer.error["message"] == "up: slow down"


def test_litellm_our_key_is_not_the_callers(url: str, upstream: Upstream) -> None:
    upstream.script(reply({"error": {"message": "Incorrect API key"}}, status=401))
    answer = post(url, "/responses", ask())
    assert answer.status == 502
    assert answer.error["message"] == "up: Incorrect API key"


def test_ogx_a_page_of_html_is_no_completed_response(url: str, upstream: Upstream) -> None:
    upstream.script(html("<p>Sign in</p>"))
    assert post(url, "/responses", ask(stream=True)).last["status"] == "failed"
    assert post(url, "/responses", ask()).status == 502


def test_litellm_a_cut_stream_has_its_beginning(url: str, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="cut"))
    names = types(post(url, "/responses", ask(stream=True)).payloads)
    assert names[:2] == ["created", "in_progress"]
    assert names[-2:] == ["error", "failed"]


def test_ogx_a_stored_response_is_not_streamed_as_json(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    response = post(url, "/responses", ask()).json
    answer = get(url, f"/responses/{response['id']}?stream=true")
    assert answer.status == 400
    assert (answer.error["param"], answer.error["code"]) == ("stream", "unsupported_parameter")


def test_litellm_a_response_can_be_fetched_whatever_the_backend(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    response = post(url, "/responses", ask()).json
    assert get(url, f"/responses/{response['id']}").json == response
    assert response["id"].startswith("resp_")
    assert len(response["id"]) == len("resp_") + 50


def test_ogx_what_is_streamed_as_completed_exists(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    for _ in range(20):
        last = post(url, "/responses", ask(stream=True)).last
        assert get(url, f"/responses/{last['id']}").json == last
