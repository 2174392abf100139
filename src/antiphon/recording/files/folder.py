"""Fast reader of directories with thousands of recordings."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from msgspec import Raw

from antiphon.errors import RecordingNotReadable

_BUFFER_SIZE = 1 << 20


@dataclass(frozen=True)
class Source:
    """A file at the time when it was read first."""

    path: str
    name: str
    """The path below the directory, with `/`."""
    modified: int
    size: int

    def read(self) -> bytes:
        """Read the file again.

        Raises:
            RecordingNotReadable: The file was removed or changed.
        """
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                if (status.st_mtime_ns, status.st_size) != (self.modified, self.size):
                    raise self.changed()
                return file.read()
        except OSError as error:
            raise RecordingNotReadable(
                f"The recording {self.name!r} can't be read: {error.strerror}. Restart the server."
            ) from None

    def changed(self) -> RecordingNotReadable:
        """Return the error for a changed file."""
        return RecordingNotReadable(
            f"The recording {self.name!r} was changed after it was loaded. Restart the server."
        )


class Files:
    """The `*.json` files of a directory and its sub-folders, without linked folders."""

    def __init__(self, directory: Path, problems: list[str]) -> None:
        """Create the iterable.

        A file or sub-folder that can't be read adds a line to `problems`.
        """
        self._directory = str(directory)
        self._problems = problems
        # The allocation of memory for each file takes longer than reading the file.
        self._buffer = bytearray(_BUFFER_SIZE)

    def __iter__(self) -> Iterator[tuple[memoryview, Source]]:
        """Yield the content of each file; the next step of the iteration overwrites it.

        A file that can't be read adds a line to the problems.

        Raises:
            OSError: The directory itself can't be listed.
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
            # The buffer has room for one more byte than the file, so the last read returns 0.
            while read := file.readinto(view[length : status.st_size + 1]):
                length += read
        return view[:length], Source(path, name, status.st_mtime_ns, length)


class LazyParts(Sequence[Raw]):
    """Parts of a recording that are counted now and read at first use."""

    def __init__(self, count: int, read: Callable[[], Sequence[Raw]]) -> None:
        """Create the sequence; `read` may raise `RecordingNotReadable`."""
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
