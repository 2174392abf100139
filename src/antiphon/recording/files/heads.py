"""Heads of recorded calls: what the server lists and counts, without requests and answers.

Most of a file is skipped, so that a server on many recordings starts quickly.
"""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.exact_hash import real_url
from antiphon.recording.calls.recorded import Address, Kind, RecordedCall
from antiphon.recording.files.llama_stack import kind_of
from antiphon.recording.files.scope_file import MARK, VERSION
from antiphon.wire.json import JSON, JSONObject


class Head(Struct, frozen=True):
    """The head of a recorded call."""

    kind: Kind
    scope: str
    address: Address
    model: str | None
    """The model of the request, if it has one."""
    hash_name: str
    name: str


def head_of(call: RecordedCall) -> Head:
    """Return the head of a call that was read as a whole."""
    return Head(call.kind, call.scope, call.address, call.model, call.hash_name, call.name)


class _Model(Struct, frozen=True):
    model: JSON = UNSET


class _Call(Struct):
    call: int
    hash_name: str = ""
    kind: Kind = "chat"
    address: Address | None = None
    like: int | None = None
    without: list[str] = []
    request: _Model = _Model()


class _File(Struct):
    antiphon_recordings: int
    scope: str
    calls: list[_Call]


class _Body(Struct):
    model: JSON = None
    messages: Raw | UnsetType = UNSET


class _Request(Struct):
    method: str = ""
    url: str = ""
    endpoint: str = ""
    body: _Body | None = None
    provider_metadata: JSONObject = {}
    provider: str = ""
    tool_name: str | None = None
    kwargs: _Model = _Model()


class _LlamaStackFile(Struct):
    request: _Request
    test_id: str | None = None


Share = Callable[[Address], Address]
"""Returns one of all equal addresses, so that thousands of calls share it."""

_decode_file = msgspec.json.Decoder(_File).decode
_decode_llama_stack = msgspec.json.Decoder(_LlamaStackFile).decode


def read_heads(content: memoryview, name: str, share: Share) -> list[Head] | None:
    """Return the heads of a file's calls; None for a file that has to be read as a whole.

    A file with heads can still be no valid recording.

    Args:
        content: The content of the file.
        name: The path of the file below its directory.
        share: Returns one of all equal addresses.
    """
    try:
        if MARK in bytes(content[:100]):
            file = _decode_file(content)
            return None if file.antiphon_recordings != VERSION else _native_heads(file, name, share)
        return [_llama_stack_head(_decode_llama_stack(content), name, share)]
    except (msgspec.DecodeError, UnicodeError, RecursionError, LookupError):
        return None


def _native_heads(file: _File, name: str, share: Share) -> list[Head]:
    models: dict[int | None, JSON] = {None: None}
    addresses: dict[int | None, Address] = {None: Address()}
    heads = []
    for call in file.calls:
        model = call.request.model
        if model is UNSET:
            model = None if "model" in call.without else models[call.like]
        models[call.call] = model
        address = addresses[call.call] = share(call.address) if call.address else addresses[call.like]
        full_name = f"{name}#{call.call}"
        heads.append(Head(call.kind, file.scope, address, _text(model), call.hash_name, full_name))
    return heads


def _llama_stack_head(file: _LlamaStackFile, name: str, share: Share) -> Head:
    request = file.request
    has_messages = request.body is not None and request.body.messages is not UNSET
    kind = kind_of(request.endpoint, is_tool=request.tool_name is not None, has_messages=has_messages)
    model: JSON = request.kwargs.model if kind == "tool" else request.body and request.body.model
    address = Address(
        method=request.method,
        url=real_url(request.url),
        endpoint=request.endpoint,
        provider=request.provider,
        tool_name=request.tool_name or "",
        metadata=request.provider_metadata,
    )
    scope = file.test_id or DEFAULT_SCOPE
    return Head(kind, scope, share(address), _text(model), name.rpartition("/")[2], name)


def _text(model: JSON) -> str | None:
    return model if isinstance(model, str) else None
