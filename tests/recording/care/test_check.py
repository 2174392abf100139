"""Problems of a collection, and the removal of unused recordings."""

import json
from pathlib import Path

import pytest
from msgspec import Raw

from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.care.check import Problem, check, read_hits, remove
from antiphon.recording.files import scope_file
from antiphon.recording.files.llama_stack_writer import write
from antiphon.wire.json import JSON
from tests.recording import samples
from tests.recording.samples import calls_in, chat_request, recordings

SCOPE = "tests/test_small.py::test_hello"


def call(question: str = "Hello", answer: str = "Hi", **rest: JSON) -> RecordedCall:
    reply = {"id": "a", "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}}]}
    parts = (Raw(json.dumps(reply).encode()),)
    return RecordedCall(
        **{"kind": "chat", "request": chat_request(question), "scope": SCOPE, "parts": parts, **rest}
    )


def own(directory: Path, *calls: RecordedCall) -> Path:
    path = directory / "own.json"
    scope_file.write(path, SCOPE, calls)
    return path


def kinds(problems: list[Problem]) -> list[tuple[str, tuple[str, ...]]]:
    return [(problem.kind, problem.names) for problem in problems]


def test_a_good_collection_has_no_problems(tmp_path: Path) -> None:
    write(tmp_path, call("One"))
    write(tmp_path, call("Two"))
    own(tmp_path, call("Three"), call("Three"))
    assert check(tmp_path) == []


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (problem,) = check(tmp_path)
    assert (problem.kind, problem.names) == ("unreadable", ("broken.json",))
    assert problem.text.startswith("broken.json: not a recording")


def test_a_stale_file_is_found(tmp_path: Path) -> None:
    write(tmp_path, call("One")).rename(tmp_path / "0123.json")
    assert kinds(check(tmp_path)) == [("stale", ("0123.json",))]


@pytest.mark.shared
def test_stale_real_files_are_found() -> None:
    found = {problem.names[0] for problem in check(recordings("llama-stack")) if problem.kind == "stale"}
    assert found == {each.name for each in calls_in(recordings("llama-stack")) if each.stale}


def test_r18_what_a_run_did_not_use_is_found(tmp_path: Path) -> None:
    used, unused = write(tmp_path, call("One")), write(tmp_path, call("Two"))
    own(tmp_path, call("Three"), call("Four"))
    log = tmp_path / "hits.jsonl"
    hits = [
        {"file": used.name, "call": 1, "scope": SCOPE, "how": "exact"},
        {"file": used.name, "call": 1, "scope": "other", "how": "canonical"},
        {"file": "own.json", "call": 2, "scope": SCOPE, "how": "exact"},
    ]
    log.write_text("".join(json.dumps(hit) + "\n" for hit in hits))
    found = kinds(check(tmp_path, read_hits(log)))
    assert sorted(found) == sorted([("unused", (unused.name,)), ("unused", ("own.json#1",))])


@pytest.mark.parametrize("line", ["{", "[]", '{"call": 1}', '{"file": "a.json", "call": "x"}'])
def test_a_broken_hit_log_is_named_with_its_line(line: str, tmp_path: Path) -> None:
    log = tmp_path / "hits.jsonl"
    log.write_text('{"file": "a.json"}\n' + line + "\n")
    with pytest.raises(ConfigError, match=r"hits\.jsonl:2: "):
        read_hits(log)


def test_files_of_one_question_are_duplicates_or_alternatives(tmp_path: Path) -> None:
    first = write(tmp_path, call("One", "Yes")).name
    request = {**chat_request("One"), "parallel_tool_calls": True}
    second = write(tmp_path, call(answer="Yes", request=request)).name
    third = write(tmp_path, call(answer="No", request={**request, "user": "someone"})).name
    duplicate, alternatives = check(tmp_path)
    assert (duplicate.kind, duplicate.names) == ("duplicate", (max(first, second),))
    assert (alternatives.kind, set(alternatives.names)) == ("alternatives", {first, second, third})
    assert duplicate.is_fault
    assert not alternatives.is_fault


def test_a_question_of_two_scopes_is_no_duplicate(tmp_path: Path) -> None:
    write(tmp_path, call())
    write(tmp_path, call(scope="other"))
    assert check(tmp_path) == []


def test_an_oversize_file_is_found(tmp_path: Path) -> None:
    path = own(tmp_path, call("One " * 100))
    size = path.stat().st_size
    assert kinds(check(tmp_path, large=size - 1)) == [("oversize", ("own.json",))]
    assert check(tmp_path, large=size) == []


def test_removing_takes_files_and_single_calls(tmp_path: Path) -> None:
    gone, kept = write(tmp_path, call("One")), write(tmp_path, call("Two"))
    path = own(tmp_path, call("Three"), call("Four"), call("Five"))
    remove(tmp_path, {gone.name, "own.json#2"})
    assert not gone.exists()
    assert kept.exists()
    assert [each.request for each in scope_file.read(path)] == [chat_request("Three"), chat_request("Five")]


def test_a_file_without_calls_is_removed(tmp_path: Path) -> None:
    path = own(tmp_path, call("One"), call("Two"))
    remove(tmp_path, {"own.json#1", "own.json#2"})
    assert not path.exists()


def test_removing_leaves_what_it_cannot_read(tmp_path: Path) -> None:
    samples.write(tmp_path, "broken.json", {})
    remove(tmp_path, {"broken.json"})
    assert (tmp_path / "broken.json").exists()
