"""Recordings for tests: those beside the checkout, and small handwritten ones."""

import json
from pathlib import Path

from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.wire.json import JSON, JSONObject
from tests.support.shared import shared


def recordings(name: str) -> Path:
    """Return a directory of real recordings; without it the test is skipped, in CI it fails."""
    return shared(f"recordings/{name}")


def calls_in(directory: Path) -> list[RecordedCall]:
    """Return all calls of a directory, every file of which must be readable."""
    problems: list[str] = []
    calls = list(read_calls(directory, problems))
    assert problems == []
    return calls


def chunk(delta: JSONObject, finish_reason: str | None = None, **rest: JSON) -> JSONObject:
    return {
        "id": "rec-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "small-2025",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        **rest,
    }


def chat_request(text: str = "Hello", **rest: JSON) -> JSONObject:
    return {"model": "small", "messages": [{"role": "user", "content": text}], **rest}


def recording(request: JSONObject, body: JSON, **response: JSON) -> JSONObject:
    """Return a llama-stack file for a chat; `body` is a list of chunks, one completion, or None."""
    if isinstance(body, list):
        wrapped: JSON = [{"__type__": "openai.types.Chunk", "__data__": value} for value in body]
    else:
        wrapped = None if body is None else {"__type__": "openai.types.ChatCompletion", "__data__": body}
    return {
        "test_id": "tests/test_small.py::test_hello",
        "request": {
            "method": "POST",
            "url": "https://models.example/v1/v1/chat/completions",
            "headers": {},
            "body": request,
            "endpoint": "/v1/chat/completions",
            "model": request.get("model"),
        },
        "response": {"body": wrapped, "is_streaming": isinstance(body, list), **response},
        "id_normalization_mapping": {},
    }


def write(directory: Path, name: str, content: JSON) -> Path:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))
    return path
