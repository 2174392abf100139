"""`/v1/completions` and `/v1/moderations`, proxied to the backend."""

from pathlib import Path

import pytest

from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import post
from tests.support.serving import Serving, backend, backends, recordings
from tests.support.upstream import Upstream, chunk, reply, sse

TEXT: JSONObject = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "text": "Hello.", "finish_reason": "stop", "logprobs": None}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
FLAGS: JSONObject = {"id": "modr-1", "model": "omni-moderation-latest", "results": [{"flagged": False}]}


def piece(text: str, finish: str | None = None) -> JSONObject:
    return TEXT | {"choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": None}]}


def test_a_completion_is_the_backends(url: str, upstream: Upstream) -> None:
    upstream.script(reply(TEXT))
    body = {"model": "up/m", "prompt": "Say hello", "max_tokens": 5, "unknown": {"a": 1}}
    answer = post(url, "/completions", body)
    assert (answer.status, answer.json) == (200, TEXT)
    asked = upstream.requests[-1]
    assert (asked.path, asked.json) == ("/v1/completions", body | {"model": "m"})


def test_a_stream_comes_as_it_is_made(url: str, upstream: Upstream) -> None:
    upstream.script(sse(piece("Hel"), piece("lo."), piece("", "stop")))
    answer = post(url, "/completions", {"model": "m", "prompt": "Say", "stream": True})
    assert "".join(each["choices"][0]["text"] for each in answer.payloads) == "Hello."
    assert upstream.requests[-1].json["stream"] is True


def test_a_stream_that_is_cut_ends_with_an_error(url: str, upstream: Upstream) -> None:
    upstream.script(sse(piece("Hel"), done=False))
    answer = post(url, "/completions", {"model": "m", "prompt": "Say", "stream": True})
    assert "without a finish_reason" in answer.payloads[-1]["error"]["message"]


def test_an_error_inside_a_stream_is_reported(url: str, upstream: Upstream) -> None:
    upstream.script(sse(piece("Hel"), {"error": {"message": "out of memory"}}))
    answer = post(url, "/completions", {"model": "m", "prompt": "Say", "stream": True})
    assert answer.payloads[0]["choices"][0]["text"] == "Hel"
    assert "out of memory" in answer.payloads[-1]["error"]["message"]


def test_moderations_have_openais_model_unless_one_is_named(url: str, upstream: Upstream) -> None:
    upstream.script(reply(FLAGS))
    assert post(url, "/moderations", {"input": "Hi", "model": "up/mod"}).json == FLAGS
    assert upstream.requests[-1].json == {"input": "Hi", "model": "mod"}
    missing = post(url, "/moderations", {"input": "Hi"})
    assert (missing.status, missing.error["code"]) == (404, "model_not_found")
    assert "omni-moderation-latest" in missing.error["message"]


@pytest.mark.parametrize("path", ["/completions", "/moderations"])
def test_a_backend_without_it_says_so(url: str, upstream: Upstream, path: str) -> None:
    upstream.script(reply({"detail": "Not Found"}, status=404))
    answer = post(url, path, {"model": "up/m", "prompt": "x", "input": "x"})
    assert (answer.status, answer.error["message"]) == (404, "up: Not Found")
    sample = post(url, path, {"model": "antiphon/sample", "prompt": "x", "input": "x"})
    assert (sample.status, sample.error["param"]) == (400, "model")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/completions", {"prompt": "x"}, "model"),
        ("/completions", {"model": 1, "prompt": "x"}, "model"),
        ("/completions", {"model": "m"}, "prompt"),
        ("/completions", {"model": "m", "prompt": 1}, "prompt"),
        ("/completions", {"model": "m", "prompt": "x", "stream": "yes"}, "stream"),
        ("/completions", [], None),
        ("/moderations", {}, "input"),
        ("/moderations", {"input": {}}, "input"),
        ("/moderations", "x", None),
    ],
)
def test_errors_are_reported(url: str, upstream: Upstream, path: str, body: JSON, param: str | None) -> None:
    answer = post(url, path, body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert upstream.requests == []


def test_an_answer_that_is_no_completion_is_an_error(url: str, upstream: Upstream) -> None:
    upstream.script(reply({"text": "Hello."}), reply(["x"]), reply({"error": {"message": "broken"}}))
    for words in ("no choices", "no choices", "broken"):
        answer = post(url, "/completions", {"model": "m", "prompt": "Say"})
        assert answer.status == 502
        assert words in answer.error["message"]


def test_completions_are_recorded_and_replayed(tmp_path: Path) -> None:
    folder, body = tmp_path / "recordings", {"model": "up/m", "prompt": "Say"}
    folder.mkdir()
    with Upstream() as upstream:
        live = backends(backend(upstream))

        async def recording() -> RecordingCatalogue:
            return RecordingCatalogue(await live(), RecordingLookup(Collection(folder)), "record", Faults())

        with Serving(tmp_path / "a.db", recording) as server:
            upstream.script(reply(TEXT), reply(TEXT), sse(chunk("Hi"), chunk(finish="stop")))
            assert post(server.url, "/completions", body).json == TEXT
            # While calls are recorded, a stream has one chunk.
            streamed = post(server.url, "/completions", body | {"stream": True, "suffix": "."})
            assert streamed.payloads == [TEXT]
            # Without a recorded chat, the server refuses to replay from a folder.
            assert post(server.url, "/responses", {"model": "up/m", "input": "Hi"}).status == 200
    with Serving(tmp_path / "b.db", recordings(folder)) as server:
        assert post(server.url, "/completions", body).json == TEXT
        streamed = post(server.url, "/completions", body | {"stream": True, "suffix": "."})
        assert streamed.payloads == [TEXT]
        missing = post(server.url, "/completions", body | {"prompt": "Sing"})
        assert (missing.status, missing.error["code"]) == (502, "recording_not_found")
