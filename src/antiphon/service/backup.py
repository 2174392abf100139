"""Backups: an export of the database, with the contents of the files.

Contents never change, so an export copies the rows of one moment, and then the contents that still exist.
"""

import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from antiphon.errors import ConfigError, StoreUnavailable
from antiphon.ids import new_id
from antiphon.store.connect import file_of
from antiphon.store.upkeep.export import FileContent, export_lines
from antiphon.store.upkeep.restore import LONGEST, Imported, import_rows
from antiphon.store.upkeep.schema import reading, writing

_BLOCK = 768 * 1024
"""Bytes of a file in a line."""
_OWN = 0o600
"""Permissions of what contains secrets: only the user may read it."""
_GZIP = b"\x1f\x8b"
"""The first bytes of a gzip file."""
_LEVEL = 1
"""The level of compression."""

Watch = Callable[[Iterator[bytes]], Iterator[bytes]]
"""A function that passes lines on, to show the progress."""


def write_backup(url: str, folder: Path | None, target: Path, watch: Watch = iter) -> None:
    """Export a database to a new file, which appears only when it is complete.

    Args:
        url: The database, which servers may use meanwhile.
        folder: The folder of the files; None exports no contents.
        target: The file to create; `.gz` at the end compresses it.
        watch: Passes the lines on.

    Raises:
        ConfigError: The file exists already.
        OSError: The file can't be written.
        StoreUnavailable: The database can't be read.
    """
    if target.exists():
        raise ConfigError(f"{target}: the file exists already; choose another name")
    with reading(url) as connection, _new_file(target) as file:
        of_folder = None if folder is None else lambda ids: _contents(folder, ids)
        lines = watch(export_lines(connection, of_folder))
        if target.suffix == ".gz":
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as compressed:
                compressed.writelines(lines)
        else:
            file.writelines(lines)


def restore_backup(url: str, folder: Path, source: Path, watch: Watch = iter) -> Imported:
    """Import an export into an empty database, and its contents into the folder: all or nothing.

    Args:
        url: The database, which no server may use.
        folder: The folder of the files.
        source: The export.
        watch: Passes the lines on.

    Raises:
        OSError: The file can't be read, or the folder can't be written.
        StoreUnavailable: The database isn't empty or can't be written, or the export is invalid.
    """
    sink = _Folder(folder)
    with ExitStack() as undo, _opened(source) as lines:
        undo.callback(sink.remove_all)
        file = file_of(url)
        if file is not None and not file.exists():
            undo.callback(_remove_database, file)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(_OWN)
        with writing(url) as connection:
            imported = import_rows(connection, watch(lines), sink)
        undo.pop_all()
    return imported


def _contents(folder: Path, ids: Iterable[str]) -> Iterator[FileContent]:
    for file_id in ids:
        try:
            file = (folder / file_id).open("rb")
        except FileNotFoundError:
            continue  # A client has deleted it meanwhile.
        with file:
            yield file_id, iter(partial(file.read, _BLOCK), b"")


@contextmanager
def _new_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a new file that gets its name at the end of the block, and is deleted after an error."""
    unfinished = target.with_name(f"{target.name}.{new_id('part', 6)}")
    with ExitStack() as undo:
        file = os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWN), "wb")
        undo.callback(unfinished.unlink, missing_ok=True)
        with file:
            yield file
            _sync(file)
        unfinished.rename(target)
        _sync_folder(target.parent)
        undo.pop_all()


@contextmanager
def _opened(source: Path) -> Iterator[Iterator[bytes]]:
    """Yield the lines of a file, which may be compressed."""
    with source.open("rb") as file:
        is_compressed = file.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
        readable = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_compressed else file
        try:
            yield iter(lambda: readable.readline(LONGEST), b"")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise StoreUnavailable(f"{source}: the compressed file is damaged or incomplete") from None


def _remove_database(file: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Folder:
    """The folder that receives the contents of files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._partial = self._target = path
        self._written: list[Path] = []

    def begin(self, file_id: str) -> None:
        """Begin a file; its ID has the form of a name."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._target = self._path / file_id
        if self._target.exists():
            raise StoreUnavailable(f"{self._target}: the file exists already; import into an empty folder")
        self._partial = self._path / new_id("upload", 12)
        self._file = self._partial.open("xb")

    def write(self, data: bytes) -> None:
        """Append to the file."""
        assert self._file is not None
        self._file.write(data)

    def end(self) -> int:
        """End the file, and return its size."""
        assert self._file is not None
        _sync(self._file)
        size = self._file.tell()
        self._file.close()
        self._file = None
        self._partial.rename(self._target)
        self._written.append(self._target)
        return size

    def has(self, file_id: str) -> bool:
        """Return whether the file has ended."""
        return (self._path / file_id).exists()

    def remove_all(self) -> None:
        """Remove all files of this import."""
        if self._file is not None:
            self._file.close()
            self._partial.unlink(missing_ok=True)
        for path in self._written:
            path.unlink(missing_ok=True)
