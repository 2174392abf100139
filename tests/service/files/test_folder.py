import asyncio
import os
import stat
from pathlib import Path

import pytest

from antiphon.errors import RequestTooLarge, StoreUnavailable
from antiphon.service.files.folder import FileFolder


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = FileFolder.open(str(tmp_path / "a" / "files"), 10)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.close()
    assert folder.path.is_dir()


def test_what_a_killed_server_was_taking_in_is_deleted_at_the_next_start(tmp_path: Path) -> None:
    for name in ("upload_old", "upload_new", "file-1", "other"):
        (tmp_path / name).write_bytes(b"x")
        if name != "upload_new":
            os.utime(tmp_path / name, (1.0, 1.0))
    FileFolder.open(str(tmp_path), 10)
    assert sorted(names(tmp_path)) == ["file-1", "other", "upload_new"]


def test_a_temporary_folder_ends_with_the_server() -> None:
    folder = FileFolder.open(None, 10)
    (folder.path / "file-1").write_bytes(b"x")
    folder.close()
    assert not folder.path.exists()


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreUnavailable, match="folder of files"):
        FileFolder.open(str(tmp_path / "file" / "files"), 10)


def test_what_is_kept_has_its_place_and_what_is_not_is_gone(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path, max_file_bytes=10)

    async def scenario() -> None:
        async with folder.receive() as upload:
            await upload.write(b"hello ")
            await upload.write(b"you")
            assert upload.size == 9
            assert not folder.path_of("file-1").exists()
            await upload.keep("file-1")
        async with folder.receive() as upload:
            await upload.write(b"lost")
        assert names(tmp_path) == ["file-1"]
        assert folder.path_of("file-1").read_bytes() == b"hello you"
        assert stat.S_IMODE(folder.path_of("file-1").stat().st_mode) == 0o600
        await folder.delete("file-1")
        await folder.delete("file-1")
        assert names(tmp_path) == []

    asyncio.run(scenario())


def test_a_file_that_is_too_large_leaves_nothing(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path, max_file_bytes=10)

    async def scenario() -> None:
        async with folder.receive() as upload:
            await upload.write(b"0123456789")
            await upload.write(b"0")

    with pytest.raises(RequestTooLarge, match="larger than 10 bytes"):
        asyncio.run(scenario())
    assert names(tmp_path) == []


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    folder = FileFolder(tmp_path / "gone", max_file_bytes=10)

    async def scenario() -> None:
        async with folder.receive():
            raise AssertionError("nothing can be received")

    with pytest.raises(StoreUnavailable, match="No such file"):
        asyncio.run(scenario())
