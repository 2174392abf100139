"""Recorded calls that are in files until their requests or answers are needed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Raw

from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import RecordedCall, RecordedError
from antiphon.recording.files import llama_stack, scope_file
from antiphon.recording.files.folder import Source
from antiphon.recording.files.heads import Head
from antiphon.wire.json import JSONObject

_MOST_CALLS = 10_000
"""Calls in memory, apart from those of the latest file. They take about 10 KB each."""


class Shelf:
    """The latest files that were read, for several threads."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, Sequence[RecordedCall]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def calls(self, source: Source) -> Sequence[RecordedCall]:
        """Return the calls of a file.

        Raises:
            RecordingNotReadable: The file was removed or changed.
            ConfigError: The file isn't a recording.
        """
        with self._lock:
            found = self._files.get(source.name)
            if found is not None:
                self._files.move_to_end(source.name)
                return found
        return self.keep(source, parse(source.read(), source, []))

    def keep(self, source: Source, calls: Sequence[RecordedCall]) -> Sequence[RecordedCall]:
        """Keep the calls of a file that was just read, and return them."""
        with self._lock:
            self._count += len(calls) - len(self._files.pop(source.name, ()))
            self._files[source.name] = calls
            while self._count > _MOST_CALLS and len(self._files) > 1:
                _, oldest = self._files.popitem(last=False)
                self._count -= len(oldest)
        return calls


def parse(content: bytes | memoryview, source: Source, problems: list[str]) -> list[RecordedCall]:
    """Return the calls of a file in either format.

    Raises:
        ConfigError: The file isn't a recording.
    """
    if scope_file.MARK in bytes(content[:100]):
        return scope_file.parse_file(content, source.name, problems)
    return [llama_stack.read_recording(content, source.name, source)]


class StoredCall(RecordedCall):
    """A call of a file, of which only the head is in memory.

    Everything else is read when it is needed. That raises `RecordingNotReadable` if the file was changed.
    """

    def __init__(self, head: Head, source: Source, position: int, shelf: Shelf) -> None:
        # A recorded call is frozen, and its other fields are properties here.
        self.__dict__ |= {"kind": head.kind, "scope": head.scope, "address": head.address}
        self.__dict__ |= {"name": head.name, "hash_name": head.hash_name, "_model": head.model}
        self.__dict__ |= {"_read": partial(_call_of, shelf, source, position)}

    def pin(self) -> None:
        """Keep the whole call in memory, because its file is about to change."""
        whole = self._whole
        self.__dict__["_read"] = lambda: whole

    @property
    def _whole(self) -> RecordedCall:
        read: Callable[[], RecordedCall] = self.__dict__["_read"]
        return read()

    @property
    def request(self) -> JSONObject:
        """The body of the request."""
        return self._whole.request

    @property
    def model(self) -> str | None:
        """The model of the request; None without one."""
        model: str | None = self.__dict__["_model"]
        return model

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream."""
        return self._whole.streamed

    @property
    def parts(self) -> Sequence[Raw]:
        """The parts of the answer."""
        return self._whole.parts

    @property
    def error(self) -> RecordedError | None:
        """The error of the call."""
        return self._whole.error

    @property
    def gaps(self) -> tuple[int, ...]:
        """The milliseconds before each part."""
        return self._whole.gaps

    @property
    def type_name(self) -> str:
        """The unusual Python class that llama-stack recorded."""
        return self._whole.type_name

    @property
    def canonical(self) -> JSONObject:
        """The canonical request of a chat, which is not kept."""
        return self._whole.canonical

    @property
    def key(self) -> str:
        """The canonical key of a chat."""
        return self._whole.key


def _call_of(shelf: Shelf, source: Source, position: int) -> RecordedCall:
    try:
        return shelf.calls(source)[position]
    except ConfigError:
        raise source.changed() from None
