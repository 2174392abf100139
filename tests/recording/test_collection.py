"""A directory of recordings of both formats, which is read, extended, and written by scope."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from antiphon.errors import ConfigError, RecordingNotWritten, SecretInRecording
from antiphon.recording.calls.recorded import BACKEND, CAPABILITIES, Address, RecordedCall
from antiphon.recording.collection import Collection, read_calls
from antiphon.recording.files import scope_file
from antiphon.recording.files.secrets import Pattern
from antiphon.recording.matching.chats import Hit, Miss
from antiphon.recording.matching.volatile import named_pattern
from antiphon.wire.json import JSON
from tests.recording.samples import chat_request, chunk, recording, write

SECRET = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4eFg7hIj0k"


def call(question: str, answer: str = "Hi", scope: str = "default") -> RecordedCall:
    part = Raw(msgspec.json.encode(chunk({"content": answer}, "stop")))
    return RecordedCall(
        kind="chat", request=chat_request(question), scope=scope, streamed=True, parts=(part,)
    )


def add(collection: Collection, *calls: RecordedCall, overwrite: bool = True) -> list[str]:
    async def write_all() -> list[str]:
        return [await collection.add(each, overwrite=overwrite) for each in calls]

    return asyncio.run(write_all())


def questions(path: Path) -> list[str]:
    return [each.request["messages"][0]["content"] for each in scope_file.read(path)]


def answers(collection: Collection, question: str, scope: str = "default") -> str:
    found = collection.chats.find(chat_request(question), scope)
    assert isinstance(found, Hit)
    return found.call.name


def test_a_directory_that_is_not_there_is_empty_and_made_when_needed(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "new" / "tapes")
    assert (collection.chats.entries, collection.problems) == ([], [])
    assert not (tmp_path / "new").exists()
    assert add(collection, call("One"), call("Two")) == ["default.json#1", "default.json#2"]
    assert questions(tmp_path / "new/tapes/default.json") == ["One", "Two"]


def test_what_is_added_answers_at_once(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    add(collection, call("One"))
    assert answers(collection, "One") == "default.json#1"
    assert answers(Collection(tmp_path), "One") == "default.json#1"


def test_both_formats_are_read_side_by_side(tmp_path: Path) -> None:
    write(tmp_path, "theirs/a.json", recording(chat_request("Theirs"), [chunk({"content": "Hi"}, "stop")]))
    scope_file.write(tmp_path / "ours" / "s.json", "s", [call("Ours", scope="s")])
    collection = Collection(tmp_path)
    assert answers(collection, "Theirs") == "theirs/a.json"
    assert answers(collection, "Ours") == "ours/s.json#1"


def test_a_scope_is_replaced_once_in_a_run(tmp_path: Path) -> None:
    add(Collection(tmp_path), call("Old"), call("Older"), call("Other", scope="other"))
    collection = Collection(tmp_path)
    add(collection, call("New"))
    assert questions(tmp_path / "default.json") == ["New"]
    add(collection, call("Newer"))
    assert questions(tmp_path / "default.json") == ["New", "Newer"]
    assert questions(tmp_path / scope_file.file_name("other")) == ["Other"]
    assert answers(collection, "New") == "default.json#1"


def test_what_is_missing_is_added_after_what_is_there(tmp_path: Path) -> None:
    add(Collection(tmp_path), call("Old"))
    collection = Collection(tmp_path)
    add(collection, call("New"), overwrite=False)
    assert questions(tmp_path / "default.json") == ["Old", "New"]
    # The new recording has already answered once in this run.
    assert not isinstance(collection.chats.find(chat_request("New"), "default"), Hit)
    assert answers(collection, "Old") == "default.json#1"


def test_a_scope_in_a_folder_stays_there(tmp_path: Path) -> None:
    scope_file.write(tmp_path / "deep" / "s.json", "s", [call("Old", scope="s")])
    assert add(Collection(tmp_path), call("New", scope="s"), overwrite=False) == ["deep/s.json#2"]
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_concurrent_calls_are_all_written(tmp_path: Path) -> None:
    collection = Collection(tmp_path)

    async def together() -> None:
        await asyncio.gather(*(collection.add(call(str(n)), overwrite=True) for n in range(40)))

    asyncio.run(together())
    assert questions(tmp_path / "default.json") == [str(n) for n in range(40)]


def test_a_call_that_is_nested_too_deeply_is_not_written(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    deep: JSON = "?"
    for _ in range(500):
        deep = [deep]
    with pytest.raises(RecordingNotWritten, match="nested too deeply"):
        add(collection, replace(call("One"), request=chat_request("One") | {"deep": deep}))
    add(collection, call("Two"))
    assert questions(tmp_path / "default.json") == ["Two"]


def test_recorded_models_are_known_with_their_switches(tmp_path: Path) -> None:
    switches = Address(metadata={BACKEND: "up", CAPABILITIES: {"think_tags": True}})
    other = replace(call("Two"), request=chat_request("Two") | {"model": "other"}, address=switches)
    collection = Collection(tmp_path)
    add(collection, call("One"), other)
    expected = {"small": {None: {}}, "other": {"up": {"think_tags": True}}}
    assert collection.chat_models == Collection(tmp_path).chat_models == expected
    collection.begin("default")
    add(collection, call("Three"))
    assert collection.chat_models == Collection(tmp_path).chat_models == {"small": {None: {}}}


def test_a_secret_is_not_kept(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    with pytest.raises(SecretInRecording, match=r"answer\.choices\[0\]") as caught:
        add(collection, call("Key?", f"It is {SECRET}."))
    assert SECRET not in caught.value.message
    assert (collection.chats.entries, list(tmp_path.iterdir())) == ([], [])


def test_a_pattern_of_the_operator_is_a_secret_too(tmp_path: Path) -> None:
    patterns = (Pattern(*named_pattern("never_record", r"badge=B-\d{6}")),)
    collection = Collection(tmp_path, secret_patterns=patterns)
    with pytest.raises(SecretInRecording, match="badge"):
        add(collection, call("I am B-123456"))
    add(collection, call("I am B-12"))


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    (tmp_path / "default.json").mkdir()
    with pytest.raises(RecordingNotWritten, match=r"default\.json"):
        add(collection, call("One"))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    collection = Collection(tmp_path / "file" / "tapes")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingNotWritten, match=r"default\.json"):
        add(collection, call("One"))


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "tapes").write_text("")
    with pytest.raises(ConfigError, match="does not exist; check the path"):
        Collection(tmp_path / "tapes")


def test_what_cannot_be_read_is_named_and_spoils_nothing(tmp_path: Path) -> None:
    scope_file.write(tmp_path / "s.json", "s", [call("One", scope="s")])
    (tmp_path / "later.json").write_text('{"antiphon_recordings": 99, "scope": "s", "calls": []}')
    (tmp_path / "notes.json").write_text("{}")
    collection = Collection(tmp_path)
    assert [problem.split(":")[0] for problem in collection.problems] == ["later.json", "notes.json"]
    assert answers(collection, "One", "s") == "s.json#1"


def test_a_call_that_is_nested_too_deeply_is_named(tmp_path: Path) -> None:
    content = msgspec.json.encode(recording({**chat_request(), "seed": "DEEP"}, [chunk({"content": "Hi"})]))
    (tmp_path / "deep.json").write_bytes(content.replace(b'"DEEP"', b"[" * 900 + b"]" * 900))
    collection = Collection(tmp_path)
    assert len(collection.problems) + len(collection.chats.entries) == 1


def test_other_kinds_of_calls_are_read_and_left_alone(tmp_path: Path) -> None:
    content = recording({"model": "small", "input": "Hello"}, [{"any": 1}])
    content["request"]["endpoint"] = "/v1/embeddings"
    write(tmp_path, "a.json", content)
    assert [each.kind for each in read_calls(tmp_path, [])] == ["embedding"]
    assert Collection(tmp_path).chats.entries == []


def test_imported_calls_are_deleted_when_their_scope_is_recorded_again(tmp_path: Path) -> None:
    imported = [replace(call(text), hash_name=f"{n}.json") for n, text in enumerate(("Old", "Older"))]
    scope_file.write(tmp_path / "default.json", "default", imported)
    collection = Collection(tmp_path)
    assert answers(collection, "Old") == "default.json#1"
    add(collection, call("New"))
    assert [entry.call.name for entry in collection.chats.entries] == ["default.json#1"]
    for text in ("Old", "Older"):
        assert isinstance(collection.chats.find(chat_request(text), "default"), Miss)
    assert questions(tmp_path / "default.json") == ["New"]


def test_a_scope_that_begins_once_more_answers_from_the_first(tmp_path: Path) -> None:
    add(Collection(tmp_path), call("a"), call("a"), call("a", scope="other"))
    collection = Collection(tmp_path)
    assert [answers(collection, "a") for _ in range(2)] == ["default.json#1", "default.json#2"]
    assert isinstance(collection.chats.find(chat_request("a"), "default"), Miss)
    other = answers(collection, "a", "other")
    collection.begin("default")
    assert answers(collection, "a") == "default.json#1"
    assert isinstance(collection.chats.find(chat_request("a"), "other"), Miss), other


def test_a_scope_that_begins_once_more_is_recorded_again(tmp_path: Path) -> None:
    collection = Collection(tmp_path)
    add(collection, call("Failed"), call("Failed too"))
    collection.begin("default")
    collection.begin("never seen")
    add(collection, call("New"), call("Newer"))
    assert questions(tmp_path / "default.json") == ["New", "Newer"]
