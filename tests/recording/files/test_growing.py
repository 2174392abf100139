"""A scope's file grows at its end, and whatever interrupts it leaves the earlier calls readable."""

import os
import signal
import subprocess
import sys
from io import FileIO
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.recording.files import growing, scope_file
from antiphon.recording.files.growing import GrowingScope
from tests.recording.samples import chat_request, chunk

TEXTS = ["One", 'Two\n ]\n}\n,\n  {"', "Three ]}", "Vier: äöü 世界"]


def call(question: str) -> RecordedCall:
    parts = tuple(Raw(msgspec.json.encode(chunk({"content": word}))) for word in ("Hi", " there", question))
    return RecordedCall(kind="chat", request=chat_request(question), streamed=True, parts=parts)


def questions(path: Path) -> list[str]:
    return [each.request["messages"][0]["content"] for each in scope_file.read(path)]


def grown(path: Path, *texts: str) -> GrowingScope:
    """Save the calls one by one."""
    scope = GrowingScope("default", path)
    for text in texts:
        scope.add(call(text))
        scope.save()
    return scope


def test_a_grown_file_is_the_one_that_is_written_at_once(tmp_path: Path) -> None:
    grown(tmp_path / "grown.json", *TEXTS)
    scope_file.write(tmp_path / "whole.json", "default", [call(text) for text in TEXTS])
    assert (tmp_path / "grown.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert questions(tmp_path / "grown.json") == TEXTS


def test_a_save_writes_new_calls_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = growing._write

    def counted(file: FileIO, position: int, content: bytes) -> None:
        written.append(len(content))
        write(file, position, content)

    monkeypatch.setattr(growing, "_write", counted)
    scope = grown(tmp_path / "a.json", "Begin")
    inode = (tmp_path / "a.json").stat().st_ino
    for number in range(300):
        scope.add(call(f"Question {number}"))
        scope.save()
        scope.save()  # There is nothing new.
    assert len(written) == 300
    assert max(written) < 1.2 * written[9]
    assert (tmp_path / "a.json").stat().st_ino == inode
    assert len(questions(tmp_path / "a.json")) == 301


def test_calls_that_come_together_are_saved_together(tmp_path: Path) -> None:
    scope = grown(tmp_path / "a.json", "One")
    for text in ("Two", "Three", "Four"):
        scope.add(call(text))
    scope.save()
    assert questions(tmp_path / "a.json") == ["One", "Two", "Three", "Four"]


def test_a_write_that_is_interrupted_anywhere_costs_its_own_call_alone(tmp_path: Path) -> None:
    grown(tmp_path / "before.json", *TEXTS[:2])
    grown(tmp_path / "after.json", *TEXTS)
    before, after = (tmp_path / "before.json").read_bytes(), (tmp_path / "after.json").read_bytes()
    begin = len(before) - len(scope_file.TAIL)
    assert after.startswith(before[:begin])
    path = tmp_path / "torn.json"
    for written in range(begin, len(after)):
        # The bytes written so far, and the rest of the earlier tail.
        path.write_bytes(after[:written] + before[written:])
        problems: list[str] = []
        found = [each.request["messages"][0]["content"] for each in read_one(path, problems)]
        assert found[:2] == TEXTS[:2]
        assert found == TEXTS[: len(found)]
        assert problems == [] or problems == [
            "torn.json: the write of its last call was interrupted; it has the calls before"
        ]
        # Without its last line break, the file is still whole.
        assert bool(problems) is (begin < written < len(after) - 1)


def read_one(path: Path, problems: list[str]) -> list[RecordedCall]:
    return scope_file.parse_file(path.read_bytes(), path.name, problems)


def test_a_file_that_somebody_broke_is_not_mended(tmp_path: Path) -> None:
    grown(tmp_path / "a.json", *TEXTS)
    content = (tmp_path / "a.json").read_bytes()
    (tmp_path / "a.json").write_bytes(content.replace(b'"Three ]}"', b'"Three ]}'))
    problems: list[str] = []
    assert list(read_calls(tmp_path, problems)) == []
    (problem,) = problems
    assert problem.startswith("a.json: not a file of recordings: ")


@pytest.mark.parametrize("change", ["edited", "deleted", "replaced"])
def test_a_file_that_another_program_changed_is_replaced(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.json"
    scope = grown(path, "One", "Two")
    if change == "edited":
        with path.open("ab") as file:
            file.write(b"\n")
    elif change == "deleted":
        path.unlink()
    else:
        scope_file.write(path, "default", [call("Another")])
    scope.add(call("Three"))
    scope.save()
    assert questions(path) == ["One", "Two", "Three"]
    scope.add(call("Four"))
    scope.save()
    assert questions(path) == ["One", "Two", "Three", "Four"]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    scope = grown(path, "One", "Two")
    before = path.read_bytes()
    write = growing._write

    def full(file: FileIO, position: int, content: bytes) -> None:
        write(file, position, content[:20])
        if content != scope_file.TAIL:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(growing, "_write", full)
    scope.add(call("Three"))
    with pytest.raises(OSError, match="No space left"):
        scope.save()
    assert path.read_bytes() == before
    monkeypatch.undo()
    scope.add(call("Four"))
    scope.save()
    assert questions(path) == ["One", "Two", "Three", "Four"]


_RECORDER = """
import sys
from pathlib import Path
from tests.recording.files.test_growing import GrowingScope, call
scope = GrowingScope("default", Path(sys.argv[1]))
for number in range(1_000_000):
    scope.add(call(f"{number} " + "word " * 2000))
    scope.save()
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_recorder_loses_no_call_that_it_has_saved(tmp_path: Path) -> None:
    for kill_after in (1, 5, 17):
        path = tmp_path / f"{kill_after}.json"
        process = subprocess.Popen(
            [sys.executable, "-c", _RECORDER, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env=os.environ,
        )
        assert process.stdout
        saved = 0
        for _ in range(kill_after):
            saved = int(process.stdout.readline()) + 1
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        saved += len(rest)
        process.wait()
        process.stdout.close()
        found = questions(path)
        assert [int(text.split()[0]) for text in found] == list(range(len(found)))
        assert saved <= len(found) <= saved + 1
