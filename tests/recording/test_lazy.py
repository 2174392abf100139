"""Directories with many recordings, of which the server reads only what it needs."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import Raw

from antiphon.engine.request_context import RequestContext
from antiphon.errors import RecordingNotFound
from antiphon.recording import collection as collections
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.files import scope_file
from antiphon.recording.files.folder import Source
from antiphon.recording.matching import sequence
from antiphon.recording.matching.nearest import Explanation, explain_miss
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.wire.json import JSONObject
from tests.recording.samples import calls_in, chat_request, recordings
from tests.recording.test_collection import add, call, questions
from tests.support.notes import notes_of, noting

Recorded = tuple[RecordedCall, JSONObject]
SCOPES = [f"test {number}" for number in range(8)]


@pytest.fixture(autouse=True)
def _every_directory_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collections, "_FEW_CALLS", 0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files in the order in which they are read as a whole."""
    names: list[str] = []
    read = Source.read

    def noted(source: Source) -> bytes:
        names.append(source.name)
        return read(source)

    monkeypatch.setattr(Source, "read", noted)
    return names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory with a file per scope, each with the same calls but for one question."""
    for scope in SCOPES:
        calls = [call("Same?", scope=scope), call(f"Only in {scope}?", scope=scope)]
        scope_file.write(tmp_path / scope_file.file_name(scope), scope, calls)
    return tmp_path


def asked(lookup: RecordingLookup, question: str, scope: str = "default") -> RecordedCall:
    return asyncio.run(lookup.get(chat_request(question), RequestContext(scope=scope)))


def test_a_request_reads_the_file_of_its_scope_alone(folder: Path, reads: list[str]) -> None:
    collection = Collection(folder)
    assert reads == []
    assert len(list(collection.calls)) == 2 * len(SCOPES)
    assert collection.chat_models == {"small": {None: {}}}
    assert asked(RecordingLookup(collection), "Same?", SCOPES[3]).scope == SCOPES[3]
    assert reads == [scope_file.file_name(SCOPES[3])]
    assert not collection.is_loaded


def test_the_embedding_model_of_a_scope_is_found_in_its_file_alone(folder: Path, reads: list[str]) -> None:
    body: JSONObject = {"model": "embed", "input": ["x"], "encoding_format": "float"}
    part = Raw(b'{"data": []}')
    made = RecordedCall(kind="embedding", request=body, scope="vectors", parts=(part,))
    scope_file.write(folder / "vectors.json", "vectors", [made])
    lookup = RecordingLookup(Collection(folder))
    assert lookup.collection.endpoint_models == {"embed"}
    assert asyncio.run(lookup.embedding_model("vectors")) == "embed"
    assert asyncio.run(lookup.embedding_model("elsewhere")) is None
    assert reads == ["vectors.json"]


def test_a_request_that_its_scope_does_not_answer_reads_all_files_once(
    folder: Path, reads: list[str]
) -> None:
    lookup = RecordingLookup(Collection(folder))
    assert asked(lookup, f"Only in {SCOPES[5]}?", SCOPES[2]).scope == SCOPES[5]
    assert sorted(reads) == sorted(scope_file.file_name(scope) for scope in SCOPES)
    assert lookup.collection.is_loaded
    with pytest.raises(RecordingNotFound):
        asked(lookup, "Unknown?")
    assert len(reads) == len(SCOPES)


@pytest.mark.shared
def test_real_recordings_answer_as_when_all_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = recordings("llama-stack")
    lazy = RecordingLookup(Collection(directory, repeat=True))
    monkeypatch.setattr(collections, "_FEW_CALLS", 10**9)
    eager = RecordingLookup(Collection(directory, repeat=True))
    assert (lazy.collection.is_loaded, eager.collection.is_loaded) == (False, True)
    assert lazy.collection.chat_models == eager.collection.chat_models
    assert lazy.collection.endpoint_models == eager.collection.endpoint_models

    async def compare() -> int:
        compared = 0
        for each in calls_in(directory):
            if each.kind == "chat":
                for scope in (each.scope, "elsewhere"):
                    one, other = noting(scope=scope), noting(scope=scope)
                    first = await lazy.get(each.request, one)
                    second = await eager.get(each.request, other)
                    assert (first.name, notes_of(one)) == (second.name, notes_of(other))
                    compared += 1
        return compared

    assert asyncio.run(compare()) > 100


def test_concurrent_requests_read_each_file_once(folder: Path, reads: list[str]) -> None:
    lookup = RecordingLookup(Collection(folder, repeat=True))

    async def together() -> list[RecordedCall]:
        questions = [f"Only in {scope}?" for scope in SCOPES]
        requests = [lookup.get(chat_request(each), RequestContext(scope="x")) for each in questions * 4]
        return await asyncio.gather(*requests)

    found = asyncio.run(together())
    assert [each.scope for each in found] == SCOPES * 4
    assert len(reads) == len(SCOPES)


def test_a_request_that_is_cancelled_while_files_are_read_spoils_nothing(folder: Path) -> None:
    lookup = RecordingLookup(Collection(folder))

    async def run() -> None:
        for _ in range(3):
            leaving = asyncio.create_task(lookup.get(chat_request("Unknown?"), RequestContext(scope="x")))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
        for scope in SCOPES:
            found = await lookup.get(chat_request(f"Only in {scope}?"), RequestContext(scope="x"))
            assert found.scope == scope

    asyncio.run(run())
    assert lookup.collection.problems == []


def test_a_file_that_is_no_recording_is_named_when_it_is_read(folder: Path) -> None:
    content = '{"antiphon_recordings": 1, "scope": "bad", "calls": [{"call": 1}, {"call": 1}]}'
    (folder / "bad.json").write_text(content)
    lookup = RecordingLookup(Collection(folder))
    assert asked(lookup, f"Only in {SCOPES[0]}?").scope == SCOPES[0]
    (problem,) = lookup.collection.problems
    assert problem.startswith("bad.json:")


def test_a_file_that_was_removed_is_named_when_it_is_needed(folder: Path) -> None:
    lookup = RecordingLookup(Collection(folder))
    (folder / scope_file.file_name(SCOPES[1])).unlink()
    assert asked(lookup, f"Only in {SCOPES[0]}?").scope == SCOPES[0]
    (problem,) = lookup.collection.problems
    assert scope_file.file_name(SCOPES[1]) in problem


def test_new_calls_follow_those_of_a_file_that_was_not_read(folder: Path) -> None:
    collection = Collection(folder)
    scope = SCOPES[4]
    assert add(collection, call("New", scope=scope), overwrite=False) == [f"{scope_file.file_name(scope)}#3"]
    assert questions(folder / scope_file.file_name(scope)) == ["Same?", f"Only in {scope}?", "New"]
    lookup = RecordingLookup(collection)
    assert asked(lookup, "Same?", scope).name.endswith("#1")
    assert asked(lookup, f"Only in {scope}?", "elsewhere").scope == scope


def test_new_calls_follow_those_that_another_program_wrote(folder: Path) -> None:
    collection = Collection(folder)
    scope = SCOPES[4]
    path = folder / scope_file.file_name(scope)
    scope_file.write(path, scope, [call("Theirs", scope=scope)])
    add(collection, call("New", scope=scope), overwrite=False)
    assert questions(path) == ["Theirs", "New"]


def test_a_call_that_is_cancelled_while_its_file_is_read_loses_no_other(folder: Path) -> None:
    collection = Collection(folder)
    scope = SCOPES[4]

    async def run() -> None:
        for _ in range(2):
            leaving = asyncio.create_task(collection.add(call("Left", scope=scope), overwrite=False))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait([leaving])
        await collection.add(call("New", scope=scope), overwrite=False)

    asyncio.run(run())
    kept = questions(folder / scope_file.file_name(scope))
    assert kept[:2] == ["Same?", f"Only in {scope}?"]
    assert kept[-1] == "New"


def test_a_scope_that_is_recorded_again_needs_not_be_read(folder: Path, reads: list[str]) -> None:
    collection = Collection(folder)
    scope = SCOPES[4]
    add(collection, replace(call("New", scope=scope), request=chat_request("New", model="large")))
    assert questions(folder / scope_file.file_name(scope)) == ["New"]
    assert collection.chat_models.keys() == {"small", "large"}
    assert reads == []
    with pytest.raises(RecordingNotFound):
        asked(RecordingLookup(collection), f"Only in {scope}?", scope)


def test_a_miss_is_explained_in_a_thread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[threading.Thread] = []

    def noted(canonical: JSONObject, recorded: Sequence[Recorded], used: int) -> Explanation:
        places.append(threading.current_thread())
        return explain_miss(canonical, recorded, used)

    monkeypatch.setattr("antiphon.recording.seam.lookup.explain_miss", noted)
    lookup = RecordingLookup(Collection(folder))
    with pytest.raises(RecordingNotFound, match=r"The nearest is test-4.*#2"):
        asked(lookup, f"Only in {SCOPES[4]}!", "elsewhere")
    with pytest.raises(RecordingNotFound):
        asyncio.run(lookup.get_result("brave", "web_search", {"query": "x"}, RequestContext()))
    assert len(places) == 2
    assert threading.main_thread() not in places


def test_a_miss_in_a_scope_names_its_nearest_call_though_most_others_are_not_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequence, "MANY", 4)
    monkeypatch.setattr("antiphon.recording.matching.chats.MANY", 4)
    lookup = RecordingLookup(Collection(folder))
    for scope in SCOPES:
        with pytest.raises(RecordingNotFound, match=rf"The nearest is {scope.replace(' ', '-')}.*#2"):
            asked(lookup, f"Only in {scope}!", scope)
