"""Finds and reads the files of a directory of recordings; thousands of them in a moment."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from msgspec import Raw

from antiphon.errors import RecordingNotReadable

_ROOM = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file as it was when it was read; `name` is its path below the directory, with `/`."""

    path: str
    name: str
    modified: int
    size: int

    def read(self) -> bytes:
        """Reads the file once more; raises `RecordingNotReadable` when it is gone, or another one."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_mtime_ns, status.st_size) != (self.modified, self.size):
                    raise self.changed()
                return file.read()
        except OSError as error:
            raise RecordingNotReadable(
                f"The recording {self.name} cannot be read any more: {error.strerror}."
            ) from None

    def changed(self) -> RecordingNotReadable:
        """Says that the file is another one than it was."""
        return RecordingNotReadable(
            f"The recording {self.name} was changed after it was loaded. Start the server again."
        )


class Files:
    """The `*.json` files of a directory and its sub-folders, by their names; no links to folders."""

    def __init__(self, directory: Path, problems: list[str]) -> None:
        """Raises OSError when the directory itself cannot be listed; for a folder in it, see `problems`."""
        self._directory = str(directory)
        self._problems = problems
        # Fresh memory for each file would take longer to come by than the files take to read.
        self._buffer = bytearray(_ROOM)

    def __iter__(self) -> Iterator[tuple[memoryview, Source]]:
        """Yields the content of each file, which is there until the next one is asked for.

        A line about a file that cannot be read is added to the problems.
        """
        for name in sorted(self._names(), key=lambda name: (name.rpartition("/")[2], name)):
            try:
                yield self._read(name)
            except OSError as error:
                self._problems.append(f"{name}: {error.strerror}")

    def _names(self) -> Iterator[str]:
        folders = [""]
        for folder in folders:
            try:
                entries = list(os.scandir(os.path.join(self._directory, folder)))
            except OSError as error:
                if not folder:
                    raise
                self._problems.append(f"{folder}: {error.strerror}")
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{folder}{entry.name}/")
                elif entry.name.endswith(".json") and entry.is_file():
                    yield folder + entry.name

    def _read(self, name: str) -> tuple[memoryview, Source]:
        path = os.path.join(self._directory, name)
        with open(path, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if status.st_size >= len(self._buffer):
                self._buffer = bytearray(2 * status.st_size)
            view, length = memoryview(self._buffer), 0
            # One byte more is asked for than there should be, so the last read brings nothing.
            while read := file.readinto(view[length : status.st_size + 1]):
                length += read
        return view[:length], Source(path, name, status.st_mtime_ns, length)


class LazyParts(Sequence[Raw]):
    """As many parts as were counted when their file was read; `read` gives them, once."""

    def __init__(self, count: int, read: Callable[[], Sequence[Raw]]) -> None:
        """`read` raises `RecordingNotReadable` when the parts are not there any more."""
        self._count = count
        self._read: Callable[[], Sequence[Raw]] | None = read
        self._parts: Sequence[Raw] = ()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Raw]:
        return iter(self._all())

    @overload
    def __getitem__(self, position: int) -> Raw: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Raw]: ...
    def __getitem__(self, position: int | slice) -> Raw | Sequence[Raw]:
        return self._all()[position]

    def _all(self) -> Sequence[Raw]:
        if self._read is not None:
            self._parts, self._read = self._read(), None
        return self._parts
