"""Recordings of a directory in memory, in both formats, and new recordings."""

import asyncio
import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from antiphon.engine.slices import SLICE, in_thread
from antiphon.errors import ConfigError, RecordingNotReadable, RecordingNotWritten, SecretInRecording
from antiphon.recording.calls.recorded import CAPABILITIES, REPLAYED, Address, RecordedCall
from antiphon.recording.files import scope_file, secrets
from antiphon.recording.files.folder import Files, Source
from antiphon.recording.files.growing import GrowingScope
from antiphon.recording.files.heads import Head, head_of, read_heads
from antiphon.recording.files.secrets import Pattern
from antiphon.recording.files.shelf import Shelf, StoredCall, parse
from antiphon.recording.matching.chats import ChatIndex
from antiphon.recording.matching.nearest import printable
from antiphon.recording.matching.tools import ToolIndex
from antiphon.recording.matching.volatile import RULES, Rule
from antiphon.wire.json import JSONObject

R = TypeVar("R")
ChatModels = dict[str, dict[str | None, JSONObject]]
"""The names of recorded models, each with its capability switches by backend."""

_FEW_CALLS, _FEW_BYTES = 10_000, 200_000_000
"""Recordings up to which all are read at start-up; it takes a second or two."""


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
                await in_thread(self._growing.save)
            except OSError as error:
                raise RecordingNotWritten(f"{self._path}: {error.strerror or error}") from error


class Collection:
    """The recordings of a directory.

    At first, only the heads of many recordings are read. `load` reads the calls of a scope, and `load_rest`
    all others. Hold `lock` to use the indexes, which other threads may do.
    """

    def __init__(
        self,
        directory: Path,
        rules: Sequence[Rule] = RULES,
        *,
        repeat: bool = False,
        replay_failures: bool = False,
        secret_patterns: Sequence[Pattern] = (),
    ) -> None:
        """Read the directory; a directory that does not exist yet has no recordings.

        Args:
            directory: The directory of recordings.
            rules: The rules that normalize volatile text.
            repeat: Whether the last recording of a call answers again.
            replay_failures: Whether recorded web searches that failed answer.
            secret_patterns: The operator's patterns of secrets; the built-in ones always apply.

        Raises:
            ConfigError: The directory is a file, or can't be listed.
        """
        self.directory = directory
        self.lock = asyncio.Lock()
        self.chats = ChatIndex(rules, repeat=repeat)
        self.tools = ToolIndex(repeat=repeat, replay_failures=replay_failures)
        self.problems: list[str] = []
        """A line for each file that could not be read."""
        self.is_large = False
        """Whether a search can take so long that it is work for a thread."""
        self.chat_models: ChatModels = {}
        """The models of recorded chats."""
        self.endpoint_models: set[str] = set()
        """The models of other endpoints, such as embeddings."""
        self._secret_patterns = secret_patterns
        self._scopes: dict[str, _Scope] = {}
        self._shelf = Shelf()
        self._calls: dict[str, list[RecordedCall]] = {}
        self._files: defaultdict[str, list[str]] = defaultdict(list)
        self._unread: dict[str, Source] = {}
        if directory.exists():
            self._open()

    @property
    def calls(self) -> Iterator[RecordedCall]:
        """The calls that replay answers; most have only their heads in memory."""
        return (call for calls in list(self._calls.values()) for call in calls if call.kind in REPLAYED)

    @property
    def is_loaded(self) -> bool:
        """Whether all calls are in the indexes."""
        return not self._unread

    def _open(self) -> None:
        if not self.directory.is_dir():
            raise ConfigError(f"{self.directory}: the folder of recordings does not exist; check the path")
        addresses: dict[bytes, Address] = {}

        def share(address: Address) -> Address:
            return addresses.setdefault(msgspec.json.encode(address), address)

        with _no_collections():
            for content, source in _files(self.directory, self.problems):
                heads = read_heads(content, source.name, share)
                if heads is None:
                    heads = self._heads_of(content, source)
                if heads:
                    calls = [StoredCall(head, source, at, self._shelf) for at, head in enumerate(heads)]
                    self._calls[source.name] = [*calls]
                    self._files[heads[0].scope].append(source.name)
                    self._unread[source.name] = source
            count = sum(map(len, self._calls.values()))
            size = sum(source.size for source in self._unread.values())
            self.is_large = count > _FEW_CALLS or size > _FEW_BYTES
            if not self.is_large:
                self._index_files(list(self._unread))
            self._find_models()

    def _heads_of(self, content: memoryview, source: Source) -> list[Head]:
        """Return the heads of a file that has to be read as a whole; none of an unreadable one."""
        try:
            return [head_of(call) for call in parse(content, source, self.problems)]
        except ConfigError as error:
            self.problems.append(str(error))
            return []

    def _find_models(self) -> None:
        chats: ChatModels = {}
        others: set[str] = set()
        for call in self.calls:
            _add_model(call, chats, others)
        self.chat_models, self.endpoint_models = chats, others

    async def load(self, scope: str) -> None:
        """Read the calls of a scope that weren't read yet."""
        if not self.is_loaded:
            unread = [name for name in self._files.get(scope, ()) if name in self._unread]
            if unread:
                await in_thread(lambda: self._index_files(unread))

    async def load_rest(self) -> None:
        """Read all calls that weren't read yet."""
        if not self.is_loaded:
            await in_thread(self._index_rest)

    def _index_rest(self) -> None:
        with _no_collections():
            self._index_files(list(self._unread))
            gc.freeze()  # The calls stay. A collection of all of them would stop the server for a second.

    def _index_files(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._shelf.calls(self._unread.pop(name))
            except (ConfigError, RecordingNotReadable) as error:
                self.problems.append(str(error))
                self._calls[name] = []
                continue
            self._calls[name] = [call for call in self._calls[name] if self._index(call)]

    async def add(self, call: RecordedCall, *, overwrite: bool) -> str:
        """Add a call to its scope, write the scope's file, and return the call's name.

        With `overwrite` the first call replaces the content of the file, once until `begin` is called.

        Raises:
            SecretInRecording: The call holds a secret, and is not added.
            RecordingNotWritten: The file could not be written.
        """
        await self.check(call)
        async with self.lock:
            scope = self._scopes.get(call.scope)
            if scope is None:
                scope = _Scope(call.scope, self.directory, self._file_of(call.scope))
                if not overwrite:
                    await self._continue(scope, call.scope)
                self._scopes[call.scope] = scope
            if overwrite and not scope.started:
                await self._replace(scope, call.scope)
            scope.started = True
            call = replace(call, name=f"{scope.file}#{await _aside(call, scope.add)}")
            self._calls.setdefault(scope.file, []).append(call)
            _add_model(call, self.chat_models, self.endpoint_models)
            self._index(call, used=not overwrite)
        await scope.save()
        return call.name

    def _file_of(self, scope: str) -> str:
        """Return the file of a scope; one in a sub-folder stays there."""
        for file in self._files[scope]:
            if self._calls[file] and self._calls[file][0].number is not None:
                return file
        return scope_file.file_name(scope)

    async def _continue(self, scope: _Scope, name: str) -> None:
        """Add the calls of an existing file to a scope, because its first save replaces the file.

        Another program may have changed the file, so it is read again.
        """
        await self.load(name)

        def add() -> None:
            for call in self._calls.get(scope.file, []):
                if isinstance(call, StoredCall):
                    with suppress(RecordingNotReadable):
                        call.pin()
            with suppress(ConfigError, OSError):
                for call in scope_file.read(self.directory / scope.file):
                    scope.add(call)

        await in_thread(add)

    async def _replace(self, scope: _Scope, name: str) -> None:
        scope.clear()
        self.chats.restart(name, scope.file)
        self.tools.restart(name, scope.file)
        self._unread.pop(scope.file, None)
        if self._calls.pop(scope.file, None):
            await in_thread(self._find_models)

    def begin(self, scope: str) -> None:
        """Start a scope again: its sequences restart, and new calls can overwrite it."""
        self.chats.begin(scope)
        self.tools.begin(scope)
        if scope in self._scopes:
            self._scopes[scope].started = False

    async def check(self, call: RecordedCall) -> None:
        """Search a call for keys, tokens and passwords.

        Raises:
            SecretInRecording: The call holds a secret.
        """
        findings = await _aside(call, lambda given: secrets.find_in_call(given, self._secret_patterns))
        if findings:
            lines = "".join(f"\n  {printable(str(finding))}" for finding in findings)
            raise SecretInRecording(
                f"This call isn't recorded, because it contains text that looks like a secret:{lines}"
            )

    def _index(self, call: RecordedCall, *, used: bool = False) -> bool:
        """Add a call to its index; return False for one that is nested too deeply."""
        if call.kind not in REPLAYED:
            return True
        index: ChatIndex | ToolIndex = self.chats if call.kind == "chat" else self.tools
        try:
            entry = index.add(call)
        except RecursionError:
            self.problems.append(f"{call.name}: nested too deeply for a recording")
            return False
        if used:
            index.mark_used(entry)
        return True


def _add_model(call: RecordedCall, chats: ChatModels, others: set[str]) -> None:
    if call.model is None or call.kind == "tool":
        return
    if call.kind == "chat":
        switches = call.address.metadata.get(CAPABILITIES, {})
        chats.setdefault(call.model, {}).setdefault(call.backend, switches)
    else:
        others.add(call.model)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Collect no garbage: loading creates none, and its collection would take a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


async def _aside(call: RecordedCall, work: Callable[[RecordedCall], R]) -> R:
    """Return the result of `work`, which a thread does for a long call."""
    messages = call.request.get("messages")
    if isinstance(messages, list) and len(messages) > SLICE:
        return await in_thread(lambda: work(call))
    return work(call)


def read_calls(directory: Path, problems: list[str]) -> Iterator[RecordedCall]:
    """Yield the calls of all `*.json` files in a directory, ordered by file name.

    Sub-folders are included. A file that isn't a recording adds a line to `problems`.

    Raises:
        ConfigError: The directory does not exist, or can't be listed.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: the folder of recordings does not exist; check the path")
    for content, source in _files(directory, problems):
        try:
            yield from parse(content, source, problems)
        except ConfigError as error:
            problems.append(str(error))


def _files(directory: Path, problems: list[str]) -> Iterator[tuple[memoryview, Source]]:
    try:
        yield from Files(directory, problems)
    except OSError as error:
        raise ConfigError(f"{directory}: {error.strerror}") from error
