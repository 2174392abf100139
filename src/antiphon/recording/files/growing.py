"""Files of recordings while a run writes them: each save appends the new calls.

A file is a whole JSON document after each save. A save replaces the file's tail, a few bytes, by the new
calls and the tail again. If the process is killed in the middle of it, the tail is missing, and the reader of
the format restores it.
"""

import os
from io import FileIO
from pathlib import Path

from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.files.scope_file import TAIL, ScopeWriter
from antiphon.recording.files.writing import write_atomically


class GrowingScope:
    """The file of one scope, which the first save replaces.

    `add` and `save` may run in different threads, but neither in two at once.
    """

    def __init__(self, scope: str, path: Path) -> None:
        self._path = path
        self._writer = ScopeWriter(scope)
        self._saved = 0
        self._written: tuple[int, int, int] | None = None

    def add(self, call: RecordedCall) -> int:
        """Add a call, and return its number in the file.

        Raises:
            RecursionError: The call is nested too deeply.
        """
        self._writer.add(call)
        return self._writer.count

    def save(self) -> None:
        """Write the calls that were added since the last save.

        If another program has changed the file since then, the file is replaced.

        Raises:
            OSError: The file could not be written; it has the calls of earlier saves.
        """
        count = self._writer.count
        if count == self._saved:
            return
        if not (self._saved and self._append(self._writer.content_after(self._saved, count))):
            write_atomically(self._path, self._writer.content(count))
            self._written = _state(os.stat(self._path))
        self._saved = count

    def _append(self, content: bytes) -> bool:
        """Write content over the tail of the file; return False if the file was changed."""
        if not self._path.exists():
            return False
        with open(self._path, "r+b", buffering=0) as file:
            state = os.fstat(file.fileno())
            if _state(state) != self._written:
                return False
            self._written = None
            end = state.st_size - len(TAIL)
            try:
                _write(file, end, content)
                os.fsync(file.fileno())
            except OSError:
                _write(file, end, TAIL)  # These bytes exist already, so that even a full disk takes them.
                file.truncate()
                self._written = _state(os.fstat(file.fileno()))
                raise
            self._written = _state(os.fstat(file.fileno()))
        return True


def _write(file: FileIO, position: int, content: bytes) -> None:
    file.seek(position)
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
