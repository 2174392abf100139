"""Import and export, which keep everything that replay needs."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from msgspec import Raw

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import ConfigError, SecretInRecording
from antiphon.recording.calls.exact_hash import request_hash
from antiphon.recording.calls.recorded import Address, RecordedCall, RecordedError
from antiphon.recording.care.convert import export_calls, import_calls, read_all
from antiphon.recording.collection import Collection
from antiphon.recording.files.scope_file import file_name, read
from antiphon.recording.matching.chats import Hit
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import chat_request, chunk, recording, recordings, write


def reply(text: str, question: str = "Hello", usage: JSONObject | None = None, **rest: JSON) -> RecordedCall:
    answer = {"id": "a", "choices": [{"index": 0, "message": {"content": text}}]}
    part = Raw(json.dumps(answer | ({"usage": usage} if usage else {})).encode())
    return RecordedCall(kind="chat", request=chat_request(question), parts=(part,), **rest)


def unpadded(directory: Path, name: str) -> JSON:
    """Return a file of llama-stack's, without padding and without the key that only some files have."""
    content = json.loads((directory / name).read_text())
    content.pop("id_normalization_mapping", None)
    body = content["response"]["body"]
    for value in body if isinstance(body, list) else []:
        data = value.get("__data__", value)
        for holder in [data, *(data.get("choices") or [])]:
            holder.pop("obfuscation", None)
    return content


def answers(directory: Path, asked: list[RecordedCall]) -> list[tuple[str, list[JSON]]]:
    """Return the answers of a new collection over a directory to each call, in its scope."""
    collection = Collection(directory)
    found = []
    for call in asked:
        hit = collection.chats.find(call.request, call.scope)
        assert isinstance(hit, Hit), call.name
        found.append((hit.call.hash_name, [json.loads(payload) for payload in hit.call.payloads()]))
    return found


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that imports real recordings to `ours` and exports these to `theirs`."""

    @cache
    def convert(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        calls, problems = read_all([recordings(name)])
        done = import_calls(calls, folder / "ours")
        assert (done.calls, problems) == (len(calls), [])
        imported, problems = read_all([folder / "ours"])
        assert problems == []
        done = export_calls(imported, folder / "theirs")
        assert (done.calls, done.omitted) == (len(calls), [])
        return folder

    return convert


@pytest.mark.shared
@pytest.mark.parametrize("name", ["llama-stack", "seeds"])
def test_real_files_come_back_from_an_import(name: str, converted: Callable[[str], Path]) -> None:
    theirs, real = converted(name) / "theirs", recordings(name)
    for call in read_all([real])[0]:
        assert unpadded(theirs, call.name) == unpadded(real, call.name)


@pytest.mark.shared
def test_every_real_call_still_hits_with_the_same_answer(converted: Callable[[str], Path]) -> None:
    folder, real = converted("llama-stack"), recordings("llama-stack")
    chats = [call for call in read_all([real])[0] if call.kind == "chat"]
    before = answers(folder / "theirs", chats)
    assert [name for name, _ in before] == [name for name, _ in answers(real, chats)]
    assert answers(folder / "ours", chats) == before


def test_importing_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "theirs", "0123.json", recording(chat_request(), [chunk({"content": "Hi"})]))
    calls, _ = read_all([tmp_path / "theirs"])
    calls = [*calls, reply("Hi"), reply("Hi"), reply("Ho")]
    import_calls(calls, tmp_path / "ours")
    before = {path.name: path.read_bytes() for path in (tmp_path / "ours").iterdir()}
    assert len(before) == 2
    import_calls(calls, tmp_path / "ours")
    assert {path.name: path.read_bytes() for path in (tmp_path / "ours").iterdir()} == before


def test_an_import_keeps_what_is_there_and_replaces_what_has_its_name(tmp_path: Path) -> None:
    import_calls([reply("mine", "Who?"), reply("old", hash_name="0123.json")], tmp_path)
    import_calls([reply("new", hash_name="0123.json"), reply("more")], tmp_path)
    said = [
        json.loads(call.payloads()[0])["choices"][0]["message"]["content"]
        for call in read(tmp_path / "default.json")
    ]
    assert said == ["mine", "new", "more"]


def test_the_same_call_twice_stays_a_sequence(tmp_path: Path) -> None:
    import_calls([reply("one"), reply("two"), reply("one")], tmp_path)
    assert len(read(tmp_path / "default.json")) == 3


def test_calls_that_differ_in_their_failure_or_in_what_was_asked_are_all_kept(tmp_path: Path) -> None:
    refused = [
        RecordedCall(kind="chat", request=chat_request(), error=RecordedError("no", status_code=status))
        for status in (429, 500)
    ]
    nowhere = Address(url="http://[broken")  # It has no hash of llama-stack's.
    elsewhere = [reply("one", question, address=nowhere) for question in ("Hello", "Who?")]
    for call in (*refused, *elsewhere):
        import_calls([call], tmp_path)
    assert len(read(tmp_path / "default.json")) == 4
    import_calls([*refused, *elsewhere], tmp_path)
    assert len(read(tmp_path / "default.json")) == 4


def test_a_conversation_stands_in_its_order(tmp_path: Path) -> None:
    short, long = chat_request(), chat_request()
    long["messages"] = [
        *long["messages"],
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Bye"},
    ]
    for name, request in (("a.json", long), ("b.json", short)):
        write(tmp_path / "theirs", name, recording(request, [chunk({"content": "Hi"})]))
    import_calls(read_all([tmp_path / "theirs"])[0], tmp_path / "ours")
    calls = read(tmp_path / "ours" / file_name("tests/test_small.py::test_hello"))
    assert [call.hash_name for call in calls] == ["b.json", "a.json"]


def test_a_non_streaming_answer_is_found_by_llama_stacks_responses_too(tmp_path: Path) -> None:
    export_calls([reply("Hi", usage={"total_tokens": 3})], tmp_path)
    whole, stream = sorted(read_all([tmp_path])[0], key=lambda call: call.streamed)
    assert (whole.stale, whole.streamed, whole.request) == (False, False, chat_request())
    asked = {**chat_request(), "stream": True, "stream_options": {"include_usage": True}}
    assert (stream.stale, stream.streamed, stream.request) == (False, True, asked)
    assert stream.name == f"{request_hash('POST', stream.hashed_url, asked, None)}.json"
    assert (whole.type_name, stream.type_name) == ("", "")  # The usual types.
    said = json.loads(fold_chunks(stream.payloads()))
    assert said["choices"][0]["message"]["content"] == "Hi"
    assert said["usage"] == {"total_tokens": 3}


def test_a_stream_that_was_recorded_goes_before_one_that_is_made(tmp_path: Path) -> None:
    asked = {**chat_request(), "stream": True, "stream_options": {"include_usage": True}}
    part = Raw(json.dumps(chunk({"content": "Ho"}, "stop")).encode())
    recorded = RecordedCall(kind="chat", request=asked, streamed=True, parts=(part,))
    done = export_calls([reply("Hi"), recorded], tmp_path)
    assert (done.calls, done.files, done.omitted) == (2, 2, [])
    assert [len(call.parts) for call in read_all([tmp_path])[0] if call.streamed] == [1]


def test_a_call_that_wants_no_stream_is_exported_once(tmp_path: Path) -> None:
    done = export_calls([replace(reply("Hi"), request={**chat_request(), "stream": False})], tmp_path)
    assert (done.calls, done.files) == (1, 1)


def test_calls_that_llama_stack_cannot_represent_are_reported(tmp_path: Path) -> None:
    broken = reply("cut", "Else", error=RecordedError("connection lost"), name="default.json#3")
    done = export_calls([reply("one"), replace(reply("two"), name="default.json#2"), broken], tmp_path)
    assert (done.calls, done.files) == (2, 4)
    second, cut = done.omitted
    assert second.startswith("default.json#2: ")
    assert "earlier answer" in second
    assert cut == "default.json#3: the chunks before its error"


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_call_that_llama_stack_cannot_hold_stops_no_export(position: int, tmp_path: Path) -> None:
    garbled = replace(reply("x", "Else"), parts=(Raw(b'{"id": "half'),), name="default.json#9")
    homeless = replace(garbled, address=Address(url="http://[broken"), name="default.json#10")
    calls = [reply("one"), reply("two", "Other")]
    calls[position:position] = [garbled, homeless]
    done = export_calls(calls, tmp_path)
    assert (done.calls, done.files, len(list(tmp_path.iterdir()))) == (2, 4, 4)
    assert sorted(done.omitted) == [
        "default.json#10: llama-stack's format can't hold this call, because it has no address",
        "default.json#9: llama-stack's format can't hold this call, because its answer isn't valid JSON",
    ]


def test_a_garbled_answer_leaves_the_name_to_a_later_one(tmp_path: Path) -> None:
    garbled = replace(reply("x"), parts=(Raw(b'{"id": "half'),), name="default.json#1")
    done = export_calls([garbled, reply("whole")], tmp_path)
    assert (done.calls, len(done.omitted)) == (1, 1)


def test_a_secret_stops_an_import_before_anything_is_written(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    with pytest.raises(
        SecretInRecording, match=r"b\.json: request\.messages\[0\]\.content: GitHub token"
    ) as caught:
        import_calls([reply("Hi"), reply("Hi", f"My token is {secret}", name="b.json")], tmp_path)
    assert secret not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        read_all([tmp_path / "nowhere"])
