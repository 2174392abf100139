"""Reads llama-stack's recordings: one JSON file per call, named after the hash of its request.

The files name the Python classes of what they hold (`__type__`). The names are text here: nothing is
imported, and the data beside them is plain JSON.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from antiphon.errors import ConfigError
from antiphon.recording.canonical import canonical_key, canonical_request
from antiphon.recording.llama_stack_hash import request_hash, tool_hash
from antiphon.wire.json import JSON, JSONObject

Kind = Literal["chat", "completion", "embedding", "models", "tool", "other"]

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("completions", "completion"),
    ("/embeddings", "embedding"),
    ("/models", "models"),
)


class RecordedError(Struct):
    """What the call raised; `body` is the error object of the backend's answer."""

    message: str = ""
    status_code: int | None = None
    body: JSON = None


class _Value(Struct):
    data: Raw = msgspec.field(name="__data__")


class _Request(Struct):
    method: str = ""
    url: str = ""
    endpoint: str = ""
    body: JSON = None
    provider: str = ""
    tool_name: str | None = None
    kwargs: JSONObject = {}


class _Response(Struct):
    body: Raw = Raw(b"null")
    is_exception: bool = False
    exception_data: RecordedError | None = None
    exception_message: str | None = None


class _File(Struct):
    request: _Request
    response: _Response
    test_id: str | None = None


_file_decoder = msgspec.json.Decoder(_File)
_stream_decoder = msgspec.json.Decoder(list[_Value])
_value_decoder = msgspec.json.Decoder(_Value)


@dataclass(frozen=True)
class RecordedCall:
    """One recorded call.

    `name` is the file's path below the directory, with `/`. `request` is the body that was sent (of a tool
    call: its arguments) and `key`, of a chat, its canonical key. `parts` are the recorded values as JSON
    texts: the chunks of a stream, or the one reply; of kinds other than chat, the whole recorded body. A call
    that failed has an `error` and no parts.
    """

    name: str
    kind: Kind
    key: str
    test_id: str | None
    request: JSONObject
    streamed: bool
    parts: tuple[Raw, ...]
    error: RecordedError | None
    recorded: _Request = field(repr=False)

    def payloads(self) -> list[bytes]:
        """Returns the parts on one line each, with keys, numbers and their order as recorded."""
        return [msgspec.json.format(bytes(part), indent=-1) for part in self.parts]

    @cached_property
    def stale(self) -> bool:
        """The file's name is not the hash of its content: llama-stack would not find it."""
        request = self.recorded
        if request.tool_name is not None:
            digest = tool_hash(request.provider, request.tool_name, request.kwargs)
        else:
            try:
                digest = request_hash(request.method, request.url, request.body, self.test_id)
            except (ValueError, RecursionError):  # Not an address, or nested too deeply.
                return True
        return digest not in self.name


@dataclass(frozen=True)
class Collection:
    """What a directory holds, in the order of the files' names; `problems` name what could not be read."""

    directory: Path
    calls: list[RecordedCall]
    problems: list[str]


def read_directory(directory: Path) -> Collection:
    """Reads every `*.json` file in the directory and its sub-folders.

    A file that is no recording is a problem of the collection and spoils nothing else. Raises `ConfigError`
    when the directory cannot be read at all.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: no such directory of recordings")
    calls: list[RecordedCall] = []
    problems: list[str] = []
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        try:
            calls.append(read_recording(path.read_bytes(), name))
        except (OSError, ConfigError) as error:
            problems.append(str(error) if isinstance(error, ConfigError) else f"{name}: {error.strerror}")
    return Collection(directory, calls, problems)


def read_recording(content: bytes, name: str) -> RecordedCall:
    """Reads one recording; raises `ConfigError`, which names the file, when it is none."""
    try:
        file = _file_decoder.decode(content)
        kind = _kind(file.request)
        request = file.request.kwargs if kind == "tool" else file.request.body
        request = request if isinstance(request, dict) else {}
        key = canonical_key(canonical_request(request)) if kind == "chat" else ""
        streamed, parts = _parts(file.response, kind)
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply for a recording") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConfigError(f"{name}: not a recording of llama-stack: {error}") from None
    if kind == "chat" and not parts and not file.response.is_exception:
        raise ConfigError(f"{name}: holds no answer")
    return RecordedCall(
        name=name,
        kind=kind,
        key=key,
        test_id=file.test_id,
        request=request,
        streamed=streamed,
        parts=parts,
        error=_error(file.response),
        recorded=file.request,
    )


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*.json"), key=lambda path: (path.name, path)):
        if path.is_file():
            yield path


def _kind(request: _Request) -> Kind:
    if request.tool_name is not None:
        return "tool"
    # One recording of a chat stands under /v1/completions, so the body has the last word.
    if (
        request.endpoint.endswith("completions")
        and isinstance(request.body, dict)
        and "messages" in request.body
    ):
        return "chat"
    return next((kind for ending, kind in _KINDS if request.endpoint.endswith(ending)), "other")


def _error(response: _Response) -> RecordedError | None:
    if not response.is_exception:
        return None
    return response.exception_data or RecordedError(response.exception_message or "")


def _parts(response: _Response, kind: Kind) -> tuple[bool, tuple[Raw, ...]]:
    body = response.body
    first = _first_byte(body)
    if response.is_exception or first == b"n":
        return False, ()
    streamed = first == b"["
    if kind != "chat":
        return streamed, (body,)
    values = _stream_decoder.decode(body) if streamed else [_value_decoder.decode(body)]
    if any(_first_byte(value.data) != b"{" for value in values):
        raise msgspec.ValidationError("Expected `object` - at `$.response.body[...].__data__`")
    return streamed, tuple(value.data for value in values)


def _first_byte(text: Raw) -> bytes:
    return bytes(memoryview(text)[:1])
