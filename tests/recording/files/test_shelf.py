"""Calls that are in files until they are needed."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from antiphon.errors import RecordingNotReadable
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.files import scope_file, shelf
from antiphon.recording.files.folder import Files, Source
from antiphon.recording.files.heads import read_heads
from antiphon.recording.files.shelf import Shelf, StoredCall
from tests.recording.files.test_scope_file import streamed
from tests.recording.samples import calls_in, recordings


def stored(directory: Path, keeper: Shelf) -> list[StoredCall]:
    return [
        StoredCall(head, source, position, keeper)
        for content, source in Files(directory, [])
        for position, head in enumerate(read_heads(content, source.name, lambda address: address) or ())
    ]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the files in the order in which they are read again."""
    names: list[str] = []
    read = Source.read

    def noted(source: Source) -> bytes:
        names.append(source.name)
        return read(source)

    monkeypatch.setattr(Source, "read", noted)
    return names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory of three files with two calls each."""
    for name in "abc":
        calls = [streamed(f"{name}{number}", scope=name) for number in range(2)]
        scope_file.write(tmp_path / f"{name}.json", name, calls)
    return tmp_path


@pytest.mark.shared
def test_a_real_call_is_the_same_as_when_it_is_read_at_once() -> None:
    directory = recordings("llama-stack")
    names = [field.name for field in fields(RecordedCall)]
    pairs = list(zip(stored(directory, Shelf()), calls_in(directory), strict=True))
    for lazy, call in pairs:
        for name in (*names, "key", "canonical", "model", "backend", "file", "number"):
            value = getattr(lazy, name)
            assert (tuple(value) if name == "parts" else value) == (
                tuple(call.parts) if name == "parts" else getattr(call, name)
            )
    assert pairs


def test_heads_are_known_without_reading(folder: Path, reads: list[str]) -> None:
    calls = stored(folder, Shelf())
    assert [(call.name, call.scope, call.kind, call.model) for call in calls[:3]] == [
        ("a.json#1", "a", "chat", "small"),
        ("a.json#2", "a", "chat", "small"),
        ("b.json#1", "b", "chat", "small"),
    ]
    assert reads == []


def test_a_file_is_read_once_for_all_of_its_calls(folder: Path, reads: list[str]) -> None:
    first, second, *_ = stored(folder, Shelf())
    assert first.request["messages"] == second.request["messages"]
    assert first.streamed
    assert first.error is second.error is None
    assert reads == ["a.json"]


def test_few_calls_stay_in_memory_and_the_oldest_leave(
    folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "_MOST_CALLS", 4)
    calls = stored(folder, Shelf())
    for position in (0, 2, 0, 4, 0, 2):  # The files a, b, a, c, a, b.
        assert calls[position].request
    assert reads == ["a.json", "b.json", "c.json", "b.json"]


def test_a_file_longer_than_the_limit_is_kept_alone(
    folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "_MOST_CALLS", 1)
    calls = stored(folder, Shelf())
    for position in (0, 1, 0, 2, 3):
        assert calls[position].request
    assert reads == ["a.json", "b.json"]


@pytest.mark.parametrize("change", ["removed", "replaced", "damaged"])
def test_a_changed_file_is_an_error_except_for_calls_that_were_pinned(folder: Path, change: str) -> None:
    keeper = Shelf()
    pinned, other, *_ = stored(folder, keeper)
    pinned.pin()
    keeper._files.clear()
    path = folder / "a.json"
    status = path.stat()
    if change == "removed":
        path.unlink()
    elif change == "replaced":
        scope_file.write(path, "a", [streamed("something else", scope="a")])
    else:
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(RecordingNotReadable, match=r"a\.json"):
        _ = other.request
    assert pinned.request["model"] == "small"
    assert len(pinned.parts) > 1
