"""Recordings of llama-stack of every kind, which are read as data only."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from antiphon.errors import ConfigError, RecordingNotReadable
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.care.convert import read_all
from antiphon.recording.files.llama_stack import read_recording
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chat_request, chunk, recording, recordings, write


def read(content: JSON) -> RecordedCall:
    return read_recording(json.dumps(content, indent=2).encode(), "small.json")


def recorded_values(path: Path) -> list[JSON]:
    """Return the `__data__` of a file, read as plain JSON."""
    body = json.loads(path.read_text())["response"]["body"]
    return [value["__data__"] for value in (body if isinstance(body, list) else [body])]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["seeds", "llama-stack"])
def test_every_real_file_is_read(name: str) -> None:
    directory = recordings(name)
    assert {call.name for call in calls_in(directory)} == {path.name for path in directory.glob("*.json")}


@pytest.mark.shared
def test_real_chats_give_their_values_as_recorded() -> None:
    directory = recordings("llama-stack")
    chats = [call for call in calls_in(directory) if call.kind == "chat"]
    for call in chats:
        if call.error is None:
            payloads = call.payloads()
            assert [json.loads(payload) for payload in payloads] == recorded_values(directory / call.name)
            assert not any(b"\n" in payload for payload in payloads)
    assert sum(call.streamed for call in chats) > 400
    assert sum(call.error is not None for call in chats) == 4


@pytest.mark.shared
def test_the_kinds_of_the_real_files_are_distinguished() -> None:
    directory = recordings("llama-stack")
    kinds = Counter(call.kind for call in calls_in(directory))
    paths = Counter(
        json.loads(path.read_text())["request"].get("endpoint", "tool") for path in directory.glob("*.json")
    )
    assert kinds["models"] == paths["/v1/models"]
    assert kinds["tool"] == paths["tool"]
    assert kinds["other"] == paths["/generate_content_stream"]
    # One chat is recorded under /v1/completions.
    assert kinds["chat"] == paths["/v1/chat/completions"] + 1
    assert kinds["completion"] == paths["/v1/completions"] - 1


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [
        ("/v1/embeddings", "embedding"),
        ("/v1/models", "models"),
        ("/v1/completions", "completion"),
        ("/x", "other"),
    ],
)
def test_other_kinds_are_recognised(endpoint: str, kind: str) -> None:
    content = recording({"model": "small", "input": "Hello"}, [{"any": 1}])
    content["request"]["endpoint"] = endpoint
    call = read(content)
    assert call.kind == kind
    assert [json.loads(payload) for payload in call.payloads()] == [{"any": 1}]
    assert call.type_name == "openai.types.Chunk"


def test_a_tool_call_is_recognised() -> None:
    content = {
        "request": {
            "test_id": None,
            "provider": "tavily",
            "tool_name": "web_search",
            "kwargs": {"query": "x"},
        },
        "response": {"body": {"__type__": "Result", "__data__": {"content": "found"}}},
    }
    call = read(content)
    assert (call.kind, call.request) == ("tool", {"query": "x"})


def test_keys_numbers_and_their_order_stay_as_recorded() -> None:
    text = json.dumps(recording(chat_request(), [chunk({"content": "a"})]), indent=2)
    text = text.replace('"created": 0', '"zeta": 1.50, "created": 1e3')
    payload = read_recording(text.encode(), "small.json").payloads()[0]
    assert b'"zeta":1.50,"created":1e3,' in payload


def test_a_recorded_exception_has_no_answer_and_an_error() -> None:
    error = {"message": "Error code: 400", "status_code": 400, "body": {"message": "too long"}}
    call = read(recording(chat_request(), None, is_exception=True, exception_data=error))
    assert call.parts == ()
    assert call.error is not None
    assert (call.error.status_code, call.error.body) == (400, {"message": "too long"})


def test_an_exception_without_data_keeps_its_message() -> None:
    call = read(recording(chat_request(), None, is_exception=True, exception_message="it broke"))
    assert call.error is not None
    assert call.error.message == "it broke"


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "text": b"not json",
    "cut": b'{"request": {"body": ',
    "other JSON": b"[1, 2]",
    "no request": b'{"response": {}}',
    "not UTF-8": b'{"request": {"endpoint": "\xff"}, "response": {}}',
    "nested": b'{"request": {"body": ' + b"[" * 100_000 + b"]" * 100_000 + b'}, "response": {}}',
    "nested answer": b'{"request": {}, "response": {"body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "no answer": json.dumps(recording(chat_request(), None)).encode(),
    "no chunks": json.dumps(recording(chat_request(), [])).encode(),
    "chunk is text": json.dumps(recording(chat_request(), ["cos\nsystem\n(S'id'\ntR."])).encode(),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_bytes(content)
    write(tmp_path, "whole.json", recording(chat_request(), [chunk({"content": "Hi"})]))
    calls, (problem,) = read_all([tmp_path])
    assert [call.name for call in calls] == ["whole.json"]
    assert problem.startswith("broken.json: ")
    assert "\n" not in problem


def test_a_request_just_within_the_nesting_that_json_allows_does_no_harm(tmp_path: Path) -> None:
    for depth in (200, 400, 600, 800, 900, 950, 990):
        content = json.dumps(recording({**chat_request(), "seed": "DEEP"}, [chunk({"content": "Hi"})]))
        nested = content.replace('"DEEP"', "[" * depth + "]" * depth)
        (tmp_path / f"{depth}.json").write_text(nested)
    calls, problems = read_all([tmp_path])
    assert len(calls) + len(problems) == 7
    assert all(call.stale for call in calls)


def test_sub_folders_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    content = recording(chat_request(), [chunk({"content": "Hi"})])
    write(tmp_path, "b/one.json", content)
    write(tmp_path, "a/deeper/two.json", content)
    write(tmp_path, "a/notes.txt", content)
    os.mkfifo(tmp_path / "pipe.json")
    assert [call.name for call in calls_in(tmp_path)] == ["b/one.json", "a/deeper/two.json"]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_all([tmp_path / "nowhere"])


def test_the_types_that_a_file_names_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "booby_trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    chunks: list[JSONObject] = [
        chunk({"content": "gASVJAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU"}),
        chunk({}, "stop"),
    ]
    content = recording(chat_request("!!python/object/apply:os.system ['true']"), chunks)
    for value, name in zip(content["response"]["body"], ["booby_trap.Chunk", "os.system"], strict=True):
        value["__type__"] = name
    write(tmp_path, "hostile.json", content)
    (call,) = calls_in(tmp_path)
    assert [json.loads(payload) for payload in call.payloads()] == chunks
    assert "booby_trap" not in sys.modules


def test_chunks_are_read_again_only_from_the_file_that_was_loaded(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", recording(chat_request(), [chunk({"content": "Hi"}, "stop")]))
    first, second = (calls_in(tmp_path)[0] for _ in range(2))
    assert len(first.parts) == 1
    assert json.loads(first.payloads()[0]) == chunk({"content": "Hi"}, "stop")
    path.unlink()
    assert json.loads(first.payloads()[0]) == chunk({"content": "Hi"}, "stop")
    with pytest.raises(RecordingNotReadable, match=r"a\.json"):
        second.payloads()


def test_a_broken_chunk_is_reported_when_the_file_is_loaded(tmp_path: Path) -> None:
    for name, chunks in {"text": ["x"], "number": [{}, 1], "bare": [chunk({})]}.items():
        content = recording(chat_request(), chunks)
        if name == "bare":
            content["response"]["body"] = chunks
        write(tmp_path, f"{name}.json", content)
    cut = json.dumps(recording(chat_request(), [chunk({"content": "Hi"})]))
    (tmp_path / "cut.json").write_text(cut[: cut.index("Hi")])
    calls, problems = read_all([tmp_path])
    assert calls == []
    assert [line.partition(".json: not a recording")[0] for line in problems] == [
        "bare",
        "cut",
        "number",
        "text",
    ]
