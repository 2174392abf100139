"""Chat completions, proxied to the backend unchanged; errors have the API's statuses and envelope."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import get, post
from tests.server.faults import FAULTS, TEXT
from tests.support.serving import Serving
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, sse, streaming

STREAM_OR_JSON = pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])

AT_ONCE = [
    name
    for name, fault in FAULTS.items()
    if fault.model == "up/m"
    and fault.answer is not None
    and (fault.answer.status != 200 or name[:3] == "F20")
]
"""Faults that are known before the first byte of the reply."""


def body(*, stream: bool, **more: JSON) -> JSONObject:
    return {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}], "stream": stream} | more


def whole(text: str = "Hello") -> JSONObject:
    """Return a completion with every key that OpenAI's description requires."""
    given = completion(text, refusal=None)
    given["choices"][0]["logprobs"] = None
    return given


@STREAM_OR_JSON
@pytest.mark.parametrize("name", AT_ONCE)
def test_faults(url: str, upstream: Upstream, name: str, stream: bool) -> None:
    fault = FAULTS[name]
    assert fault.answer is not None
    upstream.script(fault.answer)
    answer = post(url, "/chat/completions", body(stream=stream))
    assert answer.status == fault.status
    error = answer.error
    assert (error["type"], error["param"], error["code"]) == (fault.kind, fault.param, fault.code)
    assert error["message"].startswith("up: ")
    assert fault.says in error["message"]
    assert answer.headers.get("retry-after") == fault.retry_after


@pytest.mark.parametrize("name", ["F23_empty_body", "F24_done_only"])
def test_an_empty_stream_is_an_error(url: str, upstream: Upstream, name: str) -> None:
    answer = FAULTS[name].answer
    assert answer is not None
    upstream.script(answer)
    failed = post(url, "/chat/completions", body(stream=True))
    assert failed.status == 502
    assert failed.error["message"] == "up/m: the reply ended without a finish_reason"


def test_F22_event_stream_for_json(url: str, upstream: Upstream) -> None:
    upstream.script(streaming(TEXT))
    replied = post(url, "/chat/completions", body(stream=False))
    assert replied.status == 200
    assert replied.json["choices"][0]["message"]["content"] == "Hello"


@pytest.mark.parametrize("answer", [reply({"object": "chat.completion"}), reply({"choices": []})])
def test_a_completion_without_choices(url: str, upstream: Upstream, answer: Answer) -> None:
    upstream.script(answer)
    failed = post(url, "/chat/completions", body(stream=False))
    assert failed.status == 502
    assert failed.error["message"].startswith("up: its answer has no choices: ")


def test_F27_cut_mid_text(url: str, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="cut"))
    first, last = post(url, "/chat/completions", body(stream=True)).payloads
    assert first == chunk("Hel")
    assert last["error"] == {
        "message": "up: the connection was cut in the middle of its answer",
        "type": "server_error",
        "param": None,
        "code": "upstream_error",
    }


def test_a_stream_is_proxied_chunk_by_chunk(url: str, upstream: Upstream) -> None:
    chunks = [chunk(role="assistant"), chunk("Hel", unknown=[1]), chunk("lo"), chunk(finish="stop")]
    upstream.script(sse(*chunks))
    answer = post(url, "/chat/completions", body(stream=True))
    assert answer.payloads == chunks
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_completion_is_proxied(url: str, upstream: Upstream) -> None:
    given = whole() | {"kv_transfer_params": None}
    given["choices"][0]["message"]["reasoning"] = "Hm."
    upstream.script(reply(given))
    answer = post(url, "/chat/completions", body(stream=False))
    assert answer.status == 200
    assert answer.json == given


@STREAM_OR_JSON
def test_what_the_backend_gets(url: str, upstream: Upstream, stream: bool) -> None:
    upstream.script(TEXT if stream else reply(whole()))
    sent = body(stream=stream, seed=7, stop=["\n"], guided_json={"a": [1.5, None]})
    assert post(url, "/chat/completions", sent, {"Authorization": "Bearer sk-client"}).status == 200
    assert upstream.chats[0].json == sent | {"model": "m"}
    assert "authorization" not in upstream.chats[0].headers


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ([], None, "invalid_type"),
        ({"messages": []}, "model", "missing_required_parameter"),
        ({"model": "up/m"}, "messages", "missing_required_parameter"),
        ({"model": 5, "messages": []}, "model", "invalid_type"),
        ({"model": "up/m", "messages": "Hi"}, "messages", "invalid_type"),
        ({"model": "up/m", "messages": [], "stream": "no"}, "stream", "invalid_type"),
        (b"{", None, "invalid_json"),
        (b"\xff", None, "invalid_json"),
    ],
)
def test_bad_requests(url: str, upstream: Upstream, given: JSON, param: str | None, code: str) -> None:
    answer = post(url, "/chat/completions", given)
    assert answer.status == 400
    assert (answer.error["param"], answer.error["code"]) == (param, code)
    assert answer.error["type"] == "invalid_request_error"
    assert upstream.requests == []


def test_an_unknown_model(url: str, upstream: Upstream) -> None:
    answer = post(url, "/chat/completions", {"model": "nowhere/m2", "messages": []})
    assert answer.status == 404
    assert (answer.error["param"], answer.error["code"]) == ("model", "model_not_found")
    assert upstream.chats == []


def test_models(server: Serving) -> None:
    listed = get(server.url, "/models").json
    assert [model["id"] for model in listed["data"]] == ["up/m", "antiphon/sample"]
    for model in listed["data"]:
        assert get(server.url, f"/models/{model['id']}").json == model
    missing = get(server.url, "/models/up/m/2")
    assert missing.status == 404
    assert missing.error == {
        "message": "The model 'up/m/2' does not exist.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }


def test_nothing_of_it_is_stored(url: str, upstream: Upstream) -> None:
    upstream.script(reply(whole()))
    assert post(url, "/chat/completions", body(stream=False)).status == 200
    assert get(url, "/responses").json["data"] == []


def test_F27_a_cut_stream_does_not_end_as_if_it_were_whole(url: str, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False))
    answer = post(url, "/chat/completions", body(stream=True))
    assert answer.payloads[0]["choices"][0]["delta"] == {"content": "Hel"}
    assert answer.payloads[-1]["error"]["message"] == "up/m: the reply ended without a finish_reason"


def test_F31_an_error_inside_a_stream_has_four_keys(url: str, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), {"error": {"message": "Out of memory"}}))
    answer = post(url, "/chat/completions", body(stream=True))
    assert answer.payloads[0]["choices"][0]["delta"] == {"content": "Hel"}
    error = answer.payloads[-1]["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] == "up/m: Out of memory"


def test_F21_one_piece_is_given_in_chunks(url: str, upstream: Upstream) -> None:
    upstream.script(reply())
    answer = post(url, "/chat/completions", body(stream=True))
    assert {payload["object"] for payload in answer.payloads} == {"chat.completion.chunk"}
    text = "".join(payload["choices"][0]["delta"].get("content", "") for payload in answer.payloads)
    assert text == "Hello."
    assert answer.payloads[-1]["choices"][0]["finish_reason"] == "stop"
