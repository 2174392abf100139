"""Files written for llama-stack, which it finds again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import Raw

from antiphon.errors import ConfigError
from antiphon.recording.calls.exact_hash import request_hash, tool_hash
from antiphon.recording.calls.recorded import Address, RecordedCall, RecordedError
from antiphon.recording.files.llama_stack import read_recording
from antiphon.recording.files.llama_stack_writer import file_content, file_name, write
from antiphon.wire.json import JSON
from tests.recording.samples import calls_in, chat_request, chunk, recordings

PROMPT = {"model": "small", "prompt": "Once"}
SCOPE = "tests/test_small.py::test_hello"


def call(*answers: JSON, **rest: JSON) -> RecordedCall:
    parts = tuple(Raw(json.dumps(answer).encode()) for answer in answers)
    return RecordedCall(**{"kind": "chat", "request": chat_request(), "scope": SCOPE, "parts": parts, **rest})


@pytest.mark.shared
@pytest.mark.parametrize("directory", ["llama-stack", "seeds"])
def test_real_files_are_written_as_they_were(directory: str) -> None:
    for recorded in calls_in(recordings(directory)):
        before = json.loads((recordings(directory) / recorded.name).read_text())
        after = json.loads(file_content(recorded))
        # Some files have this key, which is always empty.
        assert before.pop("id_normalization_mapping", {}) == {}
        assert after.pop("id_normalization_mapping", {}) == {}
        assert after == before


@pytest.mark.shared
def test_real_files_that_are_not_stale_get_the_name_they_had() -> None:
    calls = [*calls_in(recordings("llama-stack")), *calls_in(recordings("seeds"))]
    fresh = [recorded for recorded in calls if not recorded.stale]
    assert len(fresh) > 450
    assert {recorded.kind for recorded in fresh} >= {"chat", "completion", "models", "tool", "other"}
    for recorded in fresh:
        assert file_name(replace(recorded, hash_name="")) == recorded.name


def test_an_imported_call_keeps_its_name() -> None:
    assert file_name(call(hash_name="0123.json")) == "0123.json"


def test_a_stream_is_written_under_the_hash_of_its_request(tmp_path: Path) -> None:
    chunks = [chunk({"content": "Hi"}), chunk({}, "stop")]
    path = write(tmp_path, call(*chunks, streamed=True))
    digest = request_hash("POST", "https://api.openai.com/v1/v1/chat/completions", chat_request(), SCOPE)
    assert path == tmp_path / f"{digest}.json"
    content = json.loads(path.read_text())
    assert list(content) == ["test_id", "request", "response", "id_normalization_mapping"]
    assert list(content["request"]) == ["method", "url", "headers", "body", "endpoint", "model"]
    assert content["request"]["headers"] == {}
    name = "openai.types.chat.chat_completion_chunk.ChatCompletionChunk"
    assert content["response"] == {
        "body": [{"__type__": name, "__data__": each} for each in chunks],
        "is_streaming": True,
    }


KINDS: dict[str, RecordedCall] = {
    "stream": call(chunk({"content": "Hi"}), streamed=True),
    "reply": call({"id": "a", "choices": []}),
    "completion": call(
        {"id": "a"}, kind="completion", request=PROMPT, address=Address(endpoint="/v1/completions")
    ),
    "empty stream": call(
        streamed=True, kind="completion", request=PROMPT, address=Address(endpoint="/v1/completions")
    ),
    "embedding": call({"data": []}, kind="embedding", address=Address(endpoint="/v1/embeddings")),
    "models": call(
        {"id": "b"}, {"id": "a"}, kind="models", request={}, address=Address(endpoint="/v1/models")
    ),
    "tool": call(
        {"content": "found"},
        kind="tool",
        request={"query": "x"},
        address=Address("", "", "", "web", "search"),
    ),
    "other": call([1], kind="other", address=Address(endpoint="/api/ps")),
    "bare stream": call(
        {"a": 1}, {"a": 2}, kind="other", streamed=True, address=Address(endpoint="/generate")
    ),
    "error": call(
        error=RecordedError("no", 400, {"code": "bad"}, "provider_sdk", "openai", "BadRequestError")
    ),
    "other class": call({"id": "a"}, type_name="ollama.Reply"),
    "default scope": call({"id": "a"}, scope="default"),
}


@pytest.mark.parametrize("written", KINDS.values(), ids=KINDS)
def test_any_kind_of_call_is_read_again(written: RecordedCall) -> None:
    name = file_name(written)
    back = read_recording(file_content(written), name)
    assert not back.stale
    same = replace(back, parts=written.parts, hash_name="", name="")
    assert same == written
    assert [json.loads(part) for part in back.payloads()] == [json.loads(part) for part in written.payloads()]


def test_a_tool_call_is_named_by_its_tool_and_arguments() -> None:
    assert file_name(KINDS["tool"]) == f"{tool_hash('web', 'search', {'query': 'x'})}.json"


def test_a_list_of_models_is_named_by_its_models_too() -> None:
    name = file_name(KINDS["models"])
    more = file_name(replace(KINDS["models"], parts=(Raw(b'{"id": "c"}'),)))
    assert name.startswith("models-")
    assert name.rpartition("-")[0] == more.rpartition("-")[0]
    assert name != more


@pytest.mark.parametrize(
    "broken", [call(address=Address(url="http://[")), replace(call(streamed=True), parts=(Raw(b"not json"),))]
)
def test_what_it_cannot_hold_is_an_error(broken: RecordedCall, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format can't hold this call"):
        write(tmp_path, broken)
    assert list(tmp_path.iterdir()) == []
