"""Writes recordings as llama-stack does: its own server finds them by the hash that is their name.

The layout is that of its api_recorder: `test_id`, `request`, `response`, `id_normalization_mapping`, indented
by two.
"""

import hashlib
import json
from pathlib import Path

import msgspec
from msgspec.structs import asdict

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import USUAL_TYPES, RecordedCall
from antiphon.recording.files.writing import write_atomically
from antiphon.wire.json import JSON, JSONObject


def write(directory: Path, call: RecordedCall) -> Path:
    """Writes the call and returns its file's path; a recording of the same call there is replaced.

    Raises `ConfigError` for a call that has no hash, or whose answer is not JSON, and OSError.
    """
    path = directory / file_name(call)
    write_atomically(path, file_content(call))
    return path


def file_name(call: RecordedCall) -> str:
    """Returns the name that llama-stack looks for, or the one that an imported call had there.

    A list of models bears a hash of the models' ids too. Raises `ConfigError` for a call that has no hash.
    """
    if call.hash_name:
        return call.hash_name
    if call.exact_hash is None:
        raise ConfigError(
            f"{call.name}: llama-stack's format can't hold this call, because it has no address"
        )
    if call.kind != "models":
        return f"{call.exact_hash}.json"
    ids = sorted({str(model.get("id")) for model in _values(call) if isinstance(model, dict)})
    return f"models-{call.exact_hash}-{hashlib.sha256('|'.join(ids).encode()).hexdigest()[:8]}.json"


def file_content(call: RecordedCall) -> bytes:
    """Returns the file's content; raises `ConfigError` when an answer is not JSON."""
    content: JSONObject = {} if call.scope == DEFAULT_SCOPE else {"test_id": call.scope}
    if call.kind == "tool":
        content["request"] = {
            "test_id": content.get("test_id"),
            "provider": call.address.provider,
            "tool_name": call.address.tool_name,
            "kwargs": call.request,
        }
        content["response"] = _response(call)
    else:
        content["request"] = _request(call)
        content["response"] = _response(call)
        content["id_normalization_mapping"] = {}
    return json.dumps(content, indent=2).encode() + b"\n"


def _request(call: RecordedCall) -> JSONObject:
    request = {
        "method": call.address.method,
        "url": call.address.url,
        "headers": {},
        "body": call.request,
        "endpoint": call.address.endpoint,
        "model": call.request.get("model", ""),
    }
    if call.address.metadata:
        request["provider_metadata"] = call.address.metadata
    return request


def _response(call: RecordedCall) -> JSONObject:
    """What came before an error is left out: llama-stack's format has no place for it."""
    if call.error is not None:
        error = asdict(call.error)
        told = {
            name: error[name] for name in ("category", "provider", "type", "message", "status_code", "body")
        }
        return {
            "body": None,
            "is_streaming": False,
            "is_exception": True,
            "exception_data": told,
            "exception_message": call.error.message,
        }
    type_name = call.type_name or USUAL_TYPES.get((call.kind, call.streamed))
    values = _values(call)
    if call.kind == "tool":
        values = [_invocation(value) for value in values]
    if type_name is not None:
        values = [{"__type__": type_name, "__data__": value} for value in values]
    listed = call.streamed or call.kind == "models" or len(values) > 1
    return {"body": values if listed else next(iter(values), None), "is_streaming": call.streamed}


def _invocation(value: JSON) -> JSON:
    """A tool's result as llama-stack holds it: what a web search of ours found is a text of JSON there."""
    if isinstance(value, dict) and value.keys() == {"query", "top_k"}:
        return {"content": json.dumps(value), "error_message": None, "error_code": None, "metadata": None}
    return value


def _values(call: RecordedCall) -> list[JSON]:
    try:
        return [msgspec.json.decode(part) for part in call.parts]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ConfigError(
            f"{call.name}: llama-stack's format can't hold this call, because its answer isn't valid JSON"
        ) from None
