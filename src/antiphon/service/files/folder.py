"""The folder of uploaded files: each lies under its id, never under a name that somebody gave it."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from antiphon.errors import RequestTooLarge, StoreUnavailable
from antiphon.ids import new_id

_UPLOAD = "upload"
"""How the names of files begin that are on their way in; those of files begin with `file-`."""
_ABANDONED = 86_400.0
"""Seconds without a byte after which nobody is sending an upload any more."""


class FileFolder:
    """Takes uploads in, gives paths out. Every method raises `StoreUnavailable` when the disk fails."""

    def __init__(self, path: Path, *, max_file_bytes: int, temporary: bool = False) -> None:
        self.path = path
        self.max_file_bytes = max_file_bytes
        self._temporary = temporary

    @classmethod
    def open(cls, path: str | None, max_file_bytes: int) -> Self:
        """Opens the folder and makes it where it is missing; None is a temporary one, until `close`."""
        if path is None:
            return cls(
                Path(tempfile.mkdtemp(prefix="antiphon-files-")),
                max_file_bytes=max_file_bytes,
                temporary=True,
            )
        with _explained():
            # What people upload is nobody else's to read.
            Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
            _delete_abandoned(Path(path))
        return cls(Path(path), max_file_bytes=max_file_bytes)

    def close(self) -> None:
        """Deletes a temporary folder; others stay."""
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)

    def path_of(self, file_id: str) -> Path:
        """Returns where the bytes of a stored file lie; the id is one that the store has given back."""
        return self.path / file_id

    def receive(self) -> "Upload":
        """Begins to take a file in; to be used with `async with`."""
        return Upload(self)

    async def delete(self, file_id: str) -> None:
        """Deletes the bytes of a file, if they are there."""
        with _explained():
            await asyncio.to_thread(self.path_of(file_id).unlink, missing_ok=True)


class Upload:
    """A file on its way in. What is not kept by the end of `async with` is deleted."""

    def __init__(self, folder: FileFolder) -> None:
        self.size = 0
        self._folder = folder
        self._path = folder.path / new_id(_UPLOAD, 12)
        self._file: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        with _explained():
            self._file = await asyncio.to_thread(self._path.open, "xb")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._file is not None
        # At once and not in a thread: a request that is cancelled must not leave anything behind either.
        with suppress(OSError):
            self._file.close()
        with _explained():
            self._path.unlink(missing_ok=True)

    async def write(self, data: bytes) -> None:
        """Adds to the file. Raises `RequestTooLarge` for what is over the limit."""
        assert self._file is not None
        self.size += len(data)
        if self.size > self._folder.max_file_bytes:
            raise RequestTooLarge(
                f"The file is larger than {self._folder.max_file_bytes} bytes.", param="file"
            )
        with _explained():
            await asyncio.to_thread(self._file.write, data)

    async def keep(self, file_id: str) -> None:
        """Gives the whole file its place, in one step: nobody ever sees half of it there."""
        with _explained():
            await asyncio.to_thread(self._keep, self._folder.path_of(file_id))

    def _keep(self, path: Path) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(path)


def _delete_abandoned(folder: Path) -> None:
    """Deletes what a server that was killed had begun to take in; another one may be at work in there."""
    for path in folder.glob(f"{_UPLOAD}_*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _ABANDONED:
                path.unlink()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"The folder of files cannot be read or written: {error.strerror}.") from error
