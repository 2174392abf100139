"""Reader of llama-stack's recordings: one JSON file per call.

The name of a file is the hash of the request. The files contain names of Python classes (`__type__`). They
are text here and never imported; the data beside them is plain JSON.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.errors import ConfigError
from antiphon.recording.calls.exact_hash import real_url
from antiphon.recording.calls.recorded import USUAL_TYPES, Address, Kind, RecordedCall, RecordedError
from antiphon.recording.files.folder import LazyParts, Source
from antiphon.wire.json import JSONObject

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("completions", "completion"),
    ("/embeddings", "embedding"),
    ("/moderations", "moderation"),
    ("/models", "models"),
)


class _Value(Struct):
    data: Raw = msgspec.field(name="__data__")
    type: str | None = msgspec.field(name="__type__", default=None)


class _Request(Struct):
    method: str = ""
    url: str = ""
    endpoint: str = ""
    body: JSONObject | None = None
    provider_metadata: JSONObject = {}
    provider: str = ""
    tool_name: str | None = None
    kwargs: JSONObject = {}


class _Response(Struct):
    body: Raw = Raw(b"null")
    is_streaming: bool = False
    is_exception: bool = False
    exception_data: RecordedError | None = None
    exception_message: str | None = None


class _File(Struct):
    request: _Request
    response: _Response
    test_id: str | None = None


class _Object(Struct):
    """A JSON object whose members are validated and skipped."""


class _ObjectValue(Struct):
    data: _Object = msgspec.field(name="__data__")
    type: str | None = msgspec.field(name="__type__", default=None)


class _ObjectResponse(Struct):
    body: list[_ObjectValue] | _ObjectValue | None = None
    is_streaming: bool = False
    is_exception: bool = False
    exception_data: RecordedError | None = None
    exception_message: str | None = None


class _ObjectFile(Struct):
    request: _Request
    response: _ObjectResponse
    test_id: str | None = None


_Answer = tuple[bool, Sequence[Raw], str]
"""Whether an answer was streamed, its values, and their class if unusual."""

_file_decoder = msgspec.json.Decoder(_File)
_object_file_decoder = msgspec.json.Decoder(_ObjectFile)
_list_decoder = msgspec.json.Decoder(list[Raw])
_values_decoder = msgspec.json.Decoder(list[_Value])
_value_decoder = msgspec.json.Decoder(_Value)


def read_recording(content: bytes | memoryview, name: str, source: Source | None = None) -> RecordedCall:
    """Read one recording.

    Args:
        content: The content of the file.
        name: The path of the file below its directory.
        source: If given, the parts of a chat are validated now and read at first use.

    Raises:
        ConfigError: The file isn't a recording of llama-stack.
    """
    try:
        call = None if source is None else _read_lazily(content, source)
        if call is None:
            file = _file_decoder.decode(bytes(content))  # A copy, because the call outlives the buffer.
            call = _call(file, name, _answer(file.response, _kind(file.request)))
        # Only a chat has a key. It is computed here, so that too deep a request makes the file unreadable.
        if call.key and not call.parts and call.error is None:
            raise ConfigError(f"{name}: has no answer")
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply for a recording") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConfigError(f"{name}: not a recording of llama-stack: {error}") from None
    return call


def _call(file: _File | _ObjectFile, name: str, answer: _Answer) -> RecordedCall:
    request = file.request
    kind = _kind(request)
    streamed, parts, type_name = answer
    return RecordedCall(
        name=name,
        hash_name=name.rpartition("/")[2],
        kind=kind,
        scope=file.test_id or DEFAULT_SCOPE,
        request=request.kwargs if kind == "tool" else request.body or {},
        streamed=streamed,
        parts=parts,
        type_name=type_name,
        error=_error(file.response),
        address=Address(
            method=request.method,
            url=real_url(request.url),
            endpoint=request.endpoint,
            provider=request.provider,
            tool_name=request.tool_name or "",
            metadata=request.provider_metadata,
        ),
    )


def _read_lazily(content: bytes | memoryview, source: Source) -> RecordedCall | None:
    """Read a chat without its chunks; None for other calls and unusual files."""
    try:
        file = _object_file_decoder.decode(content)
    except msgspec.ValidationError:
        return None
    if _kind(file.request) != "chat":
        return None
    return _call(file, source.name, _lazy_answer(file.response, source))


def _lazy_answer(response: _ObjectResponse, source: Source) -> _Answer:
    """Return an answer as `_answer` does, with parts that are read at first use."""
    if response.is_exception or response.body is None:
        return False, (), ""
    streamed = isinstance(response.body, list)
    values = response.body if isinstance(response.body, list) else [response.body]
    if not values:
        return streamed, (), ""

    def read() -> Sequence[Raw]:
        try:
            _, parts, _ = _answer(_file_decoder.decode(source.read()).response, "chat")
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise source.changed() from None
        return parts

    return streamed, LazyParts(len(values), read), _unusual_type(values, "chat", streamed)


def kind_of(endpoint: str, *, is_tool: bool, has_messages: bool) -> Kind:
    """Return the kind of a recorded call."""
    if is_tool:
        return "tool"
    # Some recordings of chats have the path /v1/completions, so the body decides.
    if endpoint.endswith("completions") and has_messages:
        return "chat"
    return next((kind for ending, kind in _KINDS if endpoint.endswith(ending)), "other")


def _kind(request: _Request) -> Kind:
    has_messages = "messages" in (request.body or {})
    return kind_of(request.endpoint, is_tool=request.tool_name is not None, has_messages=has_messages)


def _error(response: _Response | _ObjectResponse) -> RecordedError | None:
    if not response.is_exception:
        return None
    return response.exception_data or RecordedError(response.exception_message or "")


def _answer(response: _Response, kind: Kind) -> _Answer:
    """Return the recorded values of a response."""
    first = _first_byte(response.body)
    if response.is_exception or first == b"n":
        return False, (), ""
    listed = first == b"[" and (response.is_streaming or kind in ("chat", "models"))
    values = _values(response.body, kind) if listed else [_value(response.body, kind)]
    if kind == "chat" and any(_first_byte(value.data) != b"{" for value in values):
        raise msgspec.ValidationError("Expected `object` - at `$.response.body[...].__data__`")
    streamed = listed and kind != "models"
    return streamed, tuple(value.data for value in values), _unusual_type(values, kind, streamed)


def _unusual_type(values: Sequence[_Value] | Sequence[_ObjectValue], kind: Kind, streamed: bool) -> str:
    type_name = next((value.type for value in values if value.type is not None), "")
    return "" if type_name == USUAL_TYPES.get((kind, streamed)) else type_name


def _values(elements: Raw, kind: Kind) -> list[_Value]:
    if kind == "other":
        return [_value(element, kind) for element in _list_decoder.decode(elements)]
    return _values_decoder.decode(elements)


def _value(element: Raw, kind: Kind) -> _Value:
    """Unwrap a value; only values of endpoints that OpenAI lacks can omit the class."""
    try:
        return _value_decoder.decode(element)
    except msgspec.ValidationError:
        if kind != "other":
            raise
        return _Value(element)


def _first_byte(text: Raw) -> bytes:
    return bytes(memoryview(text)[:1])
