"""Recorded streams answer non-streaming requests and the other way round, in both formats."""

from pathlib import Path

import pytest

from antiphon.recording.care.check import check
from antiphon.recording.care.convert import export_calls, read_all
from antiphon.testing import LocalServer, serve
from antiphon.wire.json import JSON, JSONObject
from tests.recording.case_world import ask, recording
from tests.server.client import get
from tests.support.upstream import Answer, chunk, completion, reply, sse, streaming

USAGE: JSONObject = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CALL: JSONObject = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
TOOLS: list[JSON] = [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}]
WHOLE = reply(completion("Hello.", finish="tool_calls", reasoning="Hm.", tool_calls=[CALL]))
CHUNKS = sse(
    chunk(reasoning="H"),
    chunk(reasoning="m."),
    chunk("Hel"),
    chunk("lo."),
    chunk(tool_calls=[CALL | {"index": 0}]),
    chunk(finish="tool_calls"),
    chunk(usage=USAGE),
)


def answered(server: LocalServer, *, stream: bool) -> JSONObject:
    """Return the response without its volatile fields; the stored response must be the same."""
    given = ask(server.url, tools=TOOLS, stream=stream)
    response: JSONObject = given.last if stream else given.json
    assert get(server.url, f"/responses/{response['id']}").json == response
    items = [{key: value for key, value in item.items() if key != "id"} for item in response["output"]]
    return {
        "items": items,
        **{key: response[key] for key in ("status", "usage", "error", "service_tier", "model")},
    }


@pytest.mark.parametrize("asked", [True, False], ids=["requested as a stream", "requested as JSON"])
@pytest.mark.parametrize("made", [True, False], ids=["made as a stream", "made as JSON"])
@pytest.mark.parametrize("answer", [CHUNKS, WHOLE], ids=["given as a stream", "given as JSON"])
@pytest.mark.parametrize("theirs", [True, False], ids=["llama-stack", "ours"])
def test_either_form_replays_as_either(
    theirs: bool, answer: Answer, made: bool, asked: bool, tmp_path: Path
) -> None:
    with recording(tmp_path / "ours", streaming(answer)) as (server, upstream):
        live = answered(server, stream=made)
    (request,) = upstream.chats
    assert request.json.get("stream", False) is made
    (call,) = read_all([tmp_path / "ours"])[0]
    assert call.streamed is (answer is CHUNKS)
    if theirs:
        export_calls([call], tmp_path / "theirs")
    with serve(tmp_path / ("theirs" if theirs else "ours")) as server:
        assert answered(server, stream=asked) == live
    assert live["usage"]["total_tokens"] == 5
    assert [item["type"] for item in live["items"]] == ["reasoning", "message", "function_call"]


ERROR: JSONObject = {"error": {"message": "It broke.", "type": "server_error", "code": "server_error"}}
ODD: dict[str, tuple[Answer, bool]] = {
    "a stream of one chunk": (streaming(sse(chunk("Hello.", finish="stop"))), True),
    "an error with status 200": (reply(ERROR), True),
    "an older server's error": (reply({"object": "error", "message": "It broke.", "code": 400}), True),
    "an error in a stream": (sse(chunk("Hel"), ERROR), True),
    "no message": (reply(completion(None)), False),
    "no finish_reason": (reply(completion("Hel", finish=None)), False),  # type: ignore[arg-type]
}


def outcome(server: LocalServer, *, stream: bool) -> JSON:
    """Return the text, or the error's message; its code isn't the same in a failed response and a body."""
    given = ask(server.url, stream=stream)
    if given.status != 200:
        return given.error["message"]
    response: JSONObject = given.last if stream else given.json
    if response["error"] is not None:
        return response["error"]["message"]
    return [item["content"] for item in response["output"]]


@pytest.mark.parametrize("made", [True, False], ids=["made as a stream", "made as JSON"])
@pytest.mark.parametrize(("answer", "as_chunks"), ODD.values(), ids=ODD)
def test_odd_answers_replay_in_either_form(
    answer: Answer, as_chunks: bool, made: bool, tmp_path: Path
) -> None:
    with recording(tmp_path / "ours", answer) as (server, _):
        live = outcome(server, stream=made)
    (call,) = read_all([tmp_path / "ours"])[0]
    assert call.streamed is as_chunks
    export_calls([call], tmp_path / "theirs")
    for folder in ("ours", "theirs"):
        with serve(tmp_path / folder) as server:
            assert [outcome(server, stream=True)] == [live]
        with serve(tmp_path / folder) as server:
            assert [outcome(server, stream=False)] == [live]
    assert not [problem for problem in check(tmp_path / "theirs") if problem.is_fault]


def test_a_refusal_is_exported_in_both_forms_and_neither_is_a_duplicate(tmp_path: Path) -> None:
    refusal = reply({"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}, status=429)
    with recording(tmp_path / "ours", refusal) as (server, _):
        live = outcome(server, stream=False)
    assert export_calls(read_all([tmp_path / "ours"])[0], tmp_path / "theirs").files == 2
    assert not [problem for problem in check(tmp_path / "theirs") if problem.is_fault]
    for stream in (True, False):
        with serve(tmp_path / "theirs") as server:
            assert outcome(server, stream=stream) == live
