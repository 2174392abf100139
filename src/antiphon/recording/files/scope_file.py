"""Native recordings: one reviewable JSON file per scope (a test, a scenario).

Calls are in the order in which they were made, without repetitions: a request names an earlier call that it
is `like`, the number of messages that it keeps, and its changes (`sharing.py`). Chunks are stored as steps
(`steps.py`). A new call appends lines to the file and changes no earlier line (`growing.py`).
"""

import hashlib
import json
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import Address, Kind, RecordedCall, RecordedError
from antiphon.recording.files.folder import LazyParts
from antiphon.recording.files.sharing import Requests, SharedRequest, restore
from antiphon.recording.files.steps import Step, Stream, fold, outline, pack, parse, unfold, unpack
from antiphon.recording.files.writing import format_json, write_atomically
from antiphon.wire.json import JSON, JSONObject

VERSION = 1
MARK = b'"antiphon_recordings"'
"""First key of the files, which distinguishes them from llama-stack's."""
TAIL = b"\n ]\n}\n"
"""End of a file, after its last call."""

_SLUG_LENGTH = 100
_MAX_DISTANCE = 8
"""Earlier answers of the same kind to which an answer can refer."""
_MIN_SAVING = 60
"""Bytes that a reference from one reply to another has to save."""
_CALL_BEGINS = re.compile(rb"(?<=\[)\n  \{|,\n  \{")
"""Start of a call in a file that this program wrote; no text of a call contains it."""
_HASH_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\.json")


class _Call(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A call in the form of the file.

    The answer is a `reply`, `chunks` of a stream, or `values`: a list, or a reply that refers to an earlier
    one. `hash_name` is the name of the llama-stack file that the call was imported from.
    """

    call: int
    hash_name: str = ""
    kind: Kind = "chat"
    like: int | None = None
    without: list[str] = []
    kept_messages: int | None = None
    request: JSONObject = {}
    reply: JSON = UNSET
    chunks: list[Step] | UnsetType = UNSET
    values: list[Step] | UnsetType = UNSET
    type_name: str = ""
    error: RecordedError | None = None
    gaps: str = ""
    address: Address | None = None
    """Last, because people read the request and the answer. If absent, the address of `like`."""


class _Version(Struct):
    antiphon_recordings: int


class _File(Struct, forbid_unknown_fields=True):
    antiphon_recordings: int
    scope: str
    calls: list[_Call]


_decode_first = json.JSONDecoder().raw_decode
_version_decoder = msgspec.json.Decoder(_Version)
_file_decoder = msgspec.json.Decoder(_File)


def file_name(scope: str) -> str:
    """Return the name of a scope's file: readable, and unique on every file system."""
    if scope == DEFAULT_SCOPE:
        return f"{DEFAULT_SCOPE}.json"
    slug = re.sub(r"[^a-z0-9_]+", "-", scope.lower()).strip("-")[:_SLUG_LENGTH]
    return f"{slug}-{hashlib.sha256(scope.encode()).hexdigest()[:16]}.json".lstrip("-")


def read(path: Path, name: str = "") -> list[RecordedCall]:
    """Read a file.

    Args:
        path: The file.
        name: The file's name in the names of its calls; by default that of `path`.

    Raises:
        ConfigError: The file isn't a native recording, or has a later version.
        OSError: The file can't be read.
    """
    return parse_file(path.read_bytes(), name or path.name, [])


def parse_file(content: bytes | memoryview, name: str, problems: list[str]) -> list[RecordedCall]:
    """Parse the content of a file.

    If the write of the last call was interrupted, the calls before it are returned, and `problems` gets a
    line.

    Raises:
        ConfigError: The file isn't a native recording, or has a later version.
    """
    try:
        try:
            file = _decode(content, name)
        except (msgspec.DecodeError, UnicodeError):
            if (mended := _mended(bytes(content))) is None:
                raise
            file = _decode(mended, name)
            problems.append(f"{name}: the write of its last call was interrupted; it has the calls before")
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply for a recording") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConfigError(f"{name}: not a file of recordings: {error}") from None
    return _Reader(name, file.scope).read(file.calls)


def _mended(content: bytes) -> bytes | None:
    """Return the complete calls of a file whose last write was interrupted; None for other files."""
    begins = [] if content.endswith(TAIL) else list(_CALL_BEGINS.finditer(content))
    if len(begins) < 2:  # The first call is written with the whole file.
        return None
    last = begins[-1]
    try:
        text = content[last.end() - 1 :].decode(errors="replace")
        _, size = _decode_first(text)
        end = last.end() - 1 + len(text[:size].encode())
    except json.JSONDecodeError:
        end = last.start()
    return content[:end] + TAIL


def _decode(content: bytes | memoryview, name: str) -> _File:
    try:
        file = _file_decoder.decode(content)
        version = file.antiphon_recordings
    except msgspec.ValidationError:
        # A file of a later version can have unknown members.
        version = _version_decoder.decode(content).antiphon_recordings
        if version == VERSION:
            raise
    if version != VERSION:
        raise ConfigError(
            f"{name}: has version {version} of the format; this program reads version {VERSION}"
        )
    return file


def write(path: Path, scope: str, calls: Sequence[RecordedCall]) -> None:
    """Replace the content of a file with the calls of a scope, in their order.

    Raises:
        OSError: The file could not be written; it is unchanged.
    """
    writer = ScopeWriter(scope)
    for call in calls:
        writer.add(call)
    write_atomically(path, writer.content())


class ScopeWriter:
    """Writer of a growing scope file; it encodes each call once."""

    def __init__(self, scope: str) -> None:
        self._head = f'{{\n {MARK.decode()}: {VERSION},\n "scope": {format_json(scope)},\n "calls": ['
        self.count = 0
        """The number of calls."""
        self._blocks: list[str] = []
        self._requests = Requests()
        self._addresses: dict[int | None, Address] = {None: Address()}
        self._answers: defaultdict[tuple[Kind, bool], deque[Stream]] = defaultdict(
            lambda: deque(maxlen=_MAX_DISTANCE)
        )

    def add(self, call: RecordedCall) -> None:
        """Append a call.

        Raises:
            RecursionError: The call is nested too deeply, and is not appended.
        """
        number = self.count + 1
        try:
            self._blocks.append(f"\n  {format_json(msgspec.to_builtins(self._entry(call, number)), 2)}")
        except RecursionError:
            self._forget(number)
            raise
        self.count = number

    def _forget(self, number: int) -> None:
        """Remove a call to which no other call refers yet."""
        self._requests.forget(number)
        self._addresses.pop(number, None)
        for earlier in self._answers.values():
            if earlier and earlier[0].number == number:
                earlier.popleft()

    def _entry(self, call: RecordedCall, number: int) -> _Call:
        shared = self._requests.share(call.request, number, msgspec.json.encode(call.address))
        self._addresses[number] = call.address
        entry = _Call(
            call=number,
            hash_name=call.hash_name,
            kind=call.kind,
            like=shared.like,
            without=shared.without,
            kept_messages=shared.kept_messages,
            request=shared.request,
            type_name=call.type_name,
            error=call.error,
            gaps=pack(call.gaps),
            address=None if call.address == self._addresses[shared.like] else call.address,
        )
        self._answer(entry, call)
        return entry

    def content(self, count: int | None = None) -> bytes:
        """Return the content of a file with the first `count` calls; None for all."""
        return self._head.encode() + ",".join(self._blocks[:count]).encode() + TAIL

    def content_after(self, saved: int, count: int) -> bytes:
        """Return the content of a file after its first `saved` calls, at least one, up to `count`."""
        return "".join(f",{block}" for block in self._blocks[saved:count]).encode() + TAIL

    def _answer(self, entry: _Call, call: RecordedCall) -> None:
        first = parse(call.parts[0]) if call.parts else None
        earlier = self._answers[call.kind, call.streamed]
        if call.streamed:
            entry.chunks = fold(call.parts, earlier)
        elif first is None or call.kind == "models" or len(call.parts) > 1:
            entry.values = fold(call.parts, earlier) if call.parts else UNSET
        else:
            steps = fold(call.parts, earlier)
            refers = steps[0].starts_like is not None
            if refers and len(msgspec.json.encode(steps)) + _MIN_SAVING < len(msgspec.json.encode(first)):
                entry.values = steps
            else:
                entry.reply = first
        last = parse(call.parts[-1]) if call.parts else None
        if first and last:
            earlier.appendleft(Stream(entry.call, first, last))


class _Reader:
    """Reader that restores the calls of a file."""

    def __init__(self, name: str, scope: str) -> None:
        self._name = name
        self._scope = scope
        self._requests: dict[int, JSONObject] = {}
        self._addresses: dict[int | None, Address] = {None: Address()}
        self._streams: dict[int, tuple[Raw, Raw]] = {}

    def read(self, entries: list[_Call]) -> list[RecordedCall]:
        """Return the calls.

        Raises:
            ConfigError: A call is inconsistent.
        """
        calls = []
        for entry in entries:
            try:
                calls.append(self._call(entry))
            except (ValueError, LookupError, TypeError, msgspec.DecodeError) as error:
                raise ConfigError(f"{self._name}: call {entry.call}: {error}") from None
        return calls

    def _call(self, entry: _Call) -> RecordedCall:
        shared = SharedRequest(entry.request, entry.like, entry.without, entry.kept_messages)
        request = restore(shared, self._requests)
        address = entry.address or self._addresses[entry.like]
        if entry.call in self._requests:
            raise ValueError("its number is already used")
        # An export writes a file of this name, which must not lead out of the folder.
        if entry.hash_name and not _HASH_NAME.fullmatch(entry.hash_name):
            raise ValueError(f"{entry.hash_name!r} isn't the name of a recording")
        self._requests[entry.call] = request
        self._addresses[entry.call] = address
        return RecordedCall(
            kind=entry.kind,
            request=request,
            scope=self._scope,
            streamed=entry.chunks is not UNSET,
            parts=self._parts(entry),
            error=entry.error,
            gaps=tuple(unpack(entry.gaps)),
            address=address,
            type_name=entry.type_name,
            hash_name=entry.hash_name,
            name=f"{self._name}#{entry.call}",
        )

    def _parts(self, entry: _Call) -> Sequence[Raw]:
        if entry.reply is not UNSET:
            reply = Raw(msgspec.json.encode(entry.reply))
            self._streams[entry.call] = (reply, reply)
            return (reply,)
        steps = entry.values if isinstance(entry.chunks, UnsetType) else entry.chunks
        if isinstance(steps, UnsetType):
            return ()
        count, first, last = outline(steps, self._streams)
        if not count:
            return ()
        self._streams[entry.call] = (first, last)
        return LazyParts(count, lambda: tuple(unfold(steps, self._streams)))
