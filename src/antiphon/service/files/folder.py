"""The folder of uploaded files, each named after its id and never by a client."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from antiphon.errors import RequestTooLarge, StoreUnavailable
from antiphon.ids import new_id

_UPLOAD = "upload"
"""Prefix of incomplete uploads; stored files begin with `file-`."""
_PIECE = 1024 * 1024
_ABANDONED = 86_400.0
"""Seconds without a write after which an upload counts as abandoned."""


class FileFolder:
    """The folder that stores uploads.

    Every method raises `StoreUnavailable` if the disk fails.

    Args:
        path: Path of the folder.
        max_file_bytes: Size limit of an upload.
        temporary: Whether `close` deletes the folder.
    """

    def __init__(self, path: Path, *, max_file_bytes: int, temporary: bool = False) -> None:
        self.path = path
        self.max_file_bytes = max_file_bytes
        self._temporary = temporary

    @classmethod
    def open(cls, path: str | None, max_file_bytes: int) -> Self:
        """Open the folder at `path`, and create it if necessary.

        Args:
            path: Path of the folder; None creates a temporary folder, which `close` deletes.
            max_file_bytes: Size limit of an upload.

        Raises:
            StoreUnavailable: The folder cannot be created or read.
        """
        if path is None:
            return cls(
                Path(tempfile.mkdtemp(prefix="antiphon-files-")),
                max_file_bytes=max_file_bytes,
                temporary=True,
            )
        with _explained():
            # Other users of the machine must not read uploads.
            Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
            _delete_abandoned(Path(path))
        return cls(Path(path), max_file_bytes=max_file_bytes)

    def close(self) -> None:
        """Delete the folder if it is temporary."""
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)

    def path_of(self, file_id: str) -> Path:
        """Return the path of a file's content.

        Args:
            file_id: An id from the store, never one from a request: it becomes part of the path.
        """
        return self.path / file_id

    def receive(self, most: int | None = None) -> "Upload":
        """Return a new upload, to be used with `async with`; `most` is a lower limit of its size."""
        return Upload(self, self.max_file_bytes if most is None else min(most, self.max_file_bytes))

    def create(self) -> "Upload":
        """Return a new file of this server, which has no size limit."""
        return Upload(self, None)

    async def pieces(self, file_id: str) -> AsyncGenerator[bytes, None]:
        """Yield the content of a file."""
        with _explained():
            file = await asyncio.to_thread(self.path_of(file_id).open, "rb")
        with file:
            while True:
                with _explained():
                    piece = await asyncio.to_thread(file.read, _PIECE)
                if not piece:
                    return
                yield piece

    async def delete(self, file_id: str) -> None:
        """Delete the content of a file, if it exists."""
        with _explained():
            await asyncio.to_thread(self.path_of(file_id).unlink, missing_ok=True)


class Upload:
    """A file that is being received; `async with` deletes it unless it was kept.

    Args:
        folder: The folder.
        most: Size limit in bytes; None for no limit.
    """

    def __init__(self, folder: FileFolder, most: int | None) -> None:
        self.size = 0
        """Number of bytes received so far."""
        self._folder = folder
        self._most = most
        self._path = folder.path / new_id(_UPLOAD, 12)
        self._file: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        with _explained():
            self._file = await asyncio.to_thread(open, self._path, "xb", opener=_private)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._file is not None
        # Not in a thread: the upload of a cancelled request must be deleted as well.
        with suppress(OSError):
            self._file.close()
        with _explained():
            self._path.unlink(missing_ok=True)

    async def write(self, data: bytes) -> None:
        """Append data to the file.

        Raises:
            RequestTooLarge: The file exceeds the size limit.
            StoreUnavailable: The disk fails.
        """
        assert self._file is not None
        self.size += len(data)
        if self._most is not None and self.size > self._most:
            raise RequestTooLarge(f"The file is larger than {self._most} bytes.", param="file")
        with _explained():
            await asyncio.to_thread(self._file.write, data)

    async def keep(self, file_id: str) -> None:
        """Move the complete file to its final path, atomically."""
        with _explained():
            await asyncio.to_thread(self._keep, self._folder.path_of(file_id))

    def _keep(self, path: Path) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(path)


def _private(path: str, flags: int) -> int:
    """Open a file that other users of the machine can't read."""
    return os.open(path, flags, 0o600)


def _delete_abandoned(folder: Path) -> None:
    """Delete incomplete uploads of killed servers.

    Recent ones may belong to another server that uses the folder.
    """
    for path in folder.glob(f"{_UPLOAD}_*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _ABANDONED:
                path.unlink()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The server failed to read or write the folder of files: {error.strerror}."
        ) from error
