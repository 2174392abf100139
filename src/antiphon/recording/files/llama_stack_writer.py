"""Writer of llama-stack's recordings.

The names of the files are those that llama-stack's server looks up. The layout is that of llama-stack's
api_recorder: `test_id`, `request`, `response` and `id_normalization_mapping`, indented by two.
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
    """Write a call, replace an earlier recording of it, and return the file's path.

    Raises:
        ConfigError: The call has no hash, or its answer isn't valid JSON.
        OSError: The file could not be written.
    """
    path = directory / file_name(call)
    write_atomically(path, file_content(call))
    return path


def file_name(call: RecordedCall) -> str:
    """Return the file name that llama-stack expects.

    An imported call has the name of its original file. The name for a list of models also has a hash of the
    models' ids.

    Raises:
        ConfigError: The call has no hash.
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
    """Return the content of the file.

    Raises:
        ConfigError: The answer isn't valid JSON.
    """
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
        "url": call.hashed_url,
        "headers": {},
        "body": call.request,
        "endpoint": call.address.endpoint,
        "model": call.request.get("model", ""),
    }
    if call.address.metadata:
        request["provider_metadata"] = call.address.metadata
    return request


def _response(call: RecordedCall) -> JSONObject:
    """Return the response; chunks before an error are omitted, as the format requires."""
    if call.error is not None:
        error = asdict(call.error)
        members = ("category", "provider", "type", "message", "status_code", "body")
        return {
            "body": None,
            "is_streaming": False,
            "is_exception": True,
            "exception_data": {name: error[name] for name in members},
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
    """Return a tool result in llama-stack's form; web searches become JSON text."""
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
