"""A directory of recordings, of both formats, in memory; and the writing of new ones."""

import asyncio
import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from antiphon.errors import ConfigError, RecordingNotWritten, SecretInRecording
from antiphon.recording.calls.recorded import REPLAYED, RecordedCall
from antiphon.recording.files import llama_stack, scope_file, secrets
from antiphon.recording.files.folder import Files
from antiphon.recording.files.secrets import Pattern
from antiphon.recording.matching.chats import ChatIndex
from antiphon.recording.matching.nearest import printable
from antiphon.recording.matching.tools import ToolIndex
from antiphon.recording.matching.volatile import RULES, Rule


class _Scope:
    """The file of one scope, as this run writes it."""

    def __init__(self, name: str, directory: Path, file: str) -> None:
        self.file = file
        self.begun = False
        """Whether this run has begun the file anew."""
        self._name = name
        self._path = directory / file
        self._lock = asyncio.Lock()
        self.clear()

    def clear(self) -> None:
        self._writer = scope_file.ScopeWriter(self._name)
        self._count = 0

    def add(self, call: RecordedCall) -> int:
        """Adds a call, and returns its number in the file."""
        self._writer.add(call)
        self._count += 1
        return self._count

    async def save(self) -> None:
        async with self._lock:
            try:
                await asyncio.to_thread(self._writer.save, self._path)
            except OSError as error:
                raise RecordingNotWritten(f"{self._path}: {error.strerror or error}") from error


class Collection:
    """The recordings of a directory; `problems` name the files that could not be read."""

    def __init__(
        self,
        directory: Path,
        rules: Sequence[Rule] = RULES,
        *,
        repeat: bool = False,
        secret_patterns: Sequence[Pattern] = (),
    ) -> None:
        """Reads the directory; one that is not there yet is empty. Raises `ConfigError` if it is a file."""
        self.directory = directory
        self.chats = ChatIndex(rules, repeat=repeat)
        self.tools = ToolIndex(repeat=repeat)
        self.problems: list[str] = []
        self._secret_patterns = secret_patterns
        self._scopes: dict[str, _Scope] = {}
        self._own: defaultdict[str, list[RecordedCall]] = defaultdict(list)
        if directory.exists():
            self._load()

    def _load(self) -> None:
        # Nothing of what is read is garbage, and looking for it in between takes a third of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            for call in read_calls(self.directory, self.problems):
                self._take_in(call)
                # What was imported into a scope's file is written again with it.
                if call.number is not None:
                    self._own[call.scope].append(call)
        finally:
            if collecting:
                gc.enable()

    async def add(self, call: RecordedCall, *, overwrite: bool) -> str:
        """Adds a call to its scope and writes the scope's file; returns its name.

        With `anew` the first call of a scope begins its file anew, once until `begin` is called.
        Raises `SecretInRecording`, and the call is not kept; raises `RecordingNotWritten`.
        """
        self.check(call)
        scope = self._scope(call.scope)
        if overwrite and not scope.begun:
            scope.clear()
            self.chats.restart(call.scope, scope.file)
            self.tools.restart(call.scope, scope.file)
        scope.begun = True
        call = replace(call, name=f"{scope.file}#{scope.add(call)}")
        self._take_in(call, used=not overwrite)
        await scope.save()
        return call.name

    def begin(self, scope: str) -> None:
        """Begins a scope once more: the first of its recordings is the next, or it is recorded anew."""
        self.chats.begin(scope)
        self.tools.begin(scope)
        if scope in self._scopes:
            self._scopes[scope].begun = False

    def check(self, call: RecordedCall) -> None:
        """Raises `SecretInRecording` when a key, a token or a password stands in a call."""
        findings = secrets.find_in_call(call, self._secret_patterns)
        if findings:
            lines = "".join(f"\n  {printable(str(finding))}" for finding in findings)
            raise SecretInRecording(
                f"This call is not recorded, because it holds what looks like a secret:{lines}"
            )

    def _scope(self, name: str) -> _Scope:
        if name not in self._scopes:
            calls = self._own.pop(name, [])
            # A scope that stands in another file, such as one in a sub-folder, stays there.
            file = calls[0].file if calls else scope_file.file_name(name)
            scope = self._scopes[name] = _Scope(name, self.directory, file)
            for call in calls:
                if call.file == file:
                    scope.add(call)
        return self._scopes[name]

    def _take_in(self, call: RecordedCall, *, used: bool = False) -> None:
        if call.kind not in REPLAYED:
            return
        index: ChatIndex | ToolIndex = self.chats if call.kind == "chat" else self.tools
        try:
            entry = index.add(call)
        except RecursionError:
            self.problems.append(f"{call.name}: nested too deeply for a recording")
            return
        if used:
            index.mark(entry)


def read_calls(directory: Path, problems: list[str]) -> Iterator[RecordedCall]:
    """Yields every call of the `*.json` files in a directory and its sub-folders, by the files' names.

    A file that is no recording spoils nothing else: a line about it is added to `problems`. Raises
    `ConfigError` when it is no directory.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: no such directory of recordings")
    try:
        for content, source in Files(directory, problems):
            try:
                if scope_file.MARK in bytes(content[:100]):
                    yield from scope_file.parse_file(content, source.name)
                else:
                    yield llama_stack.read_recording(content, source.name, source)
            except ConfigError as error:
                problems.append(str(error))
    except OSError as error:
        raise ConfigError(f"{directory}: {error.strerror}") from error
