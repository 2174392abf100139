"""Files of a directory, which are read again only if they have changed."""

import os
from pathlib import Path

import pytest

from antiphon.errors import RecordingNotReadable
from antiphon.recording.files.folder import Files, Source


def read(directory: Path, problems: list[str] | None = None) -> dict[str, bytes]:
    return {
        source.name: bytes(content)
        for content, source in Files(directory, [] if problems is None else problems)
    }


def source(path: Path) -> Source:
    (found,) = [source for _, source in Files(path.parent, [])]
    return found


def test_files_come_by_their_names_whatever_their_folder(tmp_path: Path) -> None:
    for name in ("b/1.json", "a/2.json", "c/d/1.json", "3.json", "0.txt", "b/json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "folder.json").mkdir()
    assert list(read(tmp_path)) == ["b/1.json", "c/d/1.json", "a/2.json", "3.json"]
    assert read(tmp_path)["a/2.json"] == b"a/2.json"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_files_of_any_size_are_read_whole(size: int, tmp_path: Path) -> None:
    content = os.urandom(size)
    (tmp_path / "a.json").write_bytes(content)
    (tmp_path / "b.json").write_bytes(b"small")
    assert read(tmp_path) == {"a.json": content, "b.json": b"small"}


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a.json").write_text("a")
    (tmp_path / "round").symlink_to(tmp_path)
    problems: list[str] = []
    assert read(tmp_path, problems) == {"a.json": b"a"}
    assert problems == []


def test_a_folder_that_cannot_be_listed_is_reported_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.json").write_text("a")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("closed/"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    problems: list[str] = []
    assert read(tmp_path, problems) == {"a.json": b"a"}
    assert problems == ["closed/: Permission denied"]


def test_a_file_is_read_again_while_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    assert source(path).read() == b"{}"


def test_another_file_or_none_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    found = source(path)
    path.write_text("[1]")
    with pytest.raises(RecordingNotReadable, match=r"'a\.json' was changed after it was loaded"):
        found.read()
    path.unlink()
    with pytest.raises(RecordingNotReadable, match=r"'a\.json' can't be read: No such file"):
        found.read()
