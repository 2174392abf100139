"""Recordings of a directory in memory, in both formats, and new recordings."""

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
from antiphon.recording.files.growing import GrowingScope
from antiphon.recording.files.secrets import Pattern
from antiphon.recording.matching.chats import ChatIndex
from antiphon.recording.matching.nearest import printable
from antiphon.recording.matching.tools import ToolIndex
from antiphon.recording.matching.volatile import RULES, Rule


class _Scope:
    """The file of one scope while this run writes it."""

    def __init__(self, name: str, directory: Path, file: str) -> None:
        self.file = file
        self.started = False
        """Whether this run has written to the file since the scope began."""
        self._name = name
        self._path = directory / file
        self._lock = asyncio.Lock()
        self.clear()

    def clear(self) -> None:
        self._growing = GrowingScope(self._name, self._path)

    def add(self, call: RecordedCall) -> int:
        """Add a call and return its number in the file."""
        try:
            return self._growing.add(call)
        except RecursionError:
            raise RecordingNotWritten(f"{self._path}: the call is nested too deeply") from None

    async def save(self) -> None:
        async with self._lock:
            try:
                await asyncio.to_thread(self._growing.save)
            except OSError as error:
                raise RecordingNotWritten(f"{self._path}: {error.strerror or error}") from error


class Collection:
    """The recordings of a directory."""

    def __init__(
        self,
        directory: Path,
        rules: Sequence[Rule] = RULES,
        *,
        repeat: bool = False,
        secret_patterns: Sequence[Pattern] = (),
    ) -> None:
        """Read the directory; a directory that does not exist yet has no recordings.

        Args:
            directory: The directory of recordings.
            rules: The rules that normalize volatile text.
            repeat: Whether the last recording of a call answers again.
            secret_patterns: The operator's patterns of secrets; the built-in ones always apply.

        Raises:
            ConfigError: The directory is a file, or can't be listed.
        """
        self.directory = directory
        self.chats = ChatIndex(rules, repeat=repeat)
        self.tools = ToolIndex(repeat=repeat)
        self.problems: list[str] = []
        """A line for each file that could not be read."""
        self._secret_patterns = secret_patterns
        self._scopes: dict[str, _Scope] = {}
        self._own: defaultdict[str, list[RecordedCall]] = defaultdict(list)
        if directory.exists():
            self._load()

    def _load(self) -> None:
        # Loading creates no garbage, and its collection would take a third of the time.
        collecting = gc.isenabled()
        gc.disable()
        try:
            for call in read_calls(self.directory, self.problems):
                self._index(call)
                # A scope's file is rewritten with all of its calls, imported ones included.
                if call.number is not None:
                    self._own[call.scope].append(call)
        finally:
            if collecting:
                gc.enable()

    async def add(self, call: RecordedCall, *, overwrite: bool) -> str:
        """Add a call to its scope, write the scope's file, and return the call's name.

        With `overwrite` the first call replaces the content of the file, once until `begin` is called.

        Raises:
            SecretInRecording: The call holds a secret, and is not added.
            RecordingNotWritten: The file could not be written.
        """
        self.check(call)
        scope = self._scope(call.scope)
        if overwrite and not scope.started:
            scope.clear()
            self.chats.restart(call.scope, scope.file)
            self.tools.restart(call.scope, scope.file)
        scope.started = True
        call = replace(call, name=f"{scope.file}#{scope.add(call)}")
        self._index(call, used=not overwrite)
        await scope.save()
        return call.name

    def begin(self, scope: str) -> None:
        """Start a scope again: its sequences restart, and new calls can overwrite it."""
        self.chats.begin(scope)
        self.tools.begin(scope)
        if scope in self._scopes:
            self._scopes[scope].started = False

    def check(self, call: RecordedCall) -> None:
        """Search a call for keys, tokens and passwords.

        Raises:
            SecretInRecording: The call holds a secret.
        """
        findings = secrets.find_in_call(call, self._secret_patterns)
        if findings:
            lines = "".join(f"\n  {printable(str(finding))}" for finding in findings)
            raise SecretInRecording(
                f"This call isn't recorded, because it contains text that looks like a secret:{lines}"
            )

    def _scope(self, name: str) -> _Scope:
        if name not in self._scopes:
            calls = self._own.pop(name, [])
            # A scope of another file, such as one in a sub-folder, stays in its file.
            file = calls[0].file if calls else scope_file.file_name(name)
            scope = self._scopes[name] = _Scope(name, self.directory, file)
            for call in calls:
                if call.file == file:
                    scope.add(call)
        return self._scopes[name]

    def _index(self, call: RecordedCall, *, used: bool = False) -> None:
        if call.kind not in REPLAYED:
            return
        index: ChatIndex | ToolIndex = self.chats if call.kind == "chat" else self.tools
        try:
            entry = index.add(call)
        except RecursionError:
            self.problems.append(f"{call.name}: nested too deeply for a recording")
            return
        if used:
            index.mark_used(entry)


def read_calls(directory: Path, problems: list[str]) -> Iterator[RecordedCall]:
    """Yield the calls of all `*.json` files in a directory, ordered by file name.

    Sub-folders are included. A file that isn't a recording adds a line to `problems`.

    Raises:
        ConfigError: The directory does not exist, or can't be listed.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: the folder of recordings does not exist; check the path")
    try:
        for content, source in Files(directory, problems):
            try:
                if scope_file.MARK in bytes(content[:100]):
                    yield from scope_file.parse_file(content, source.name, problems)
                else:
                    yield llama_stack.read_recording(content, source.name, source)
            except ConfigError as error:
                problems.append(str(error))
    except OSError as error:
        raise ConfigError(f"{directory}: {error.strerror}") from error
