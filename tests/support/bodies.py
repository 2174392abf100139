"""Bodies of requests to create a response, and the errors of faulty ones."""

import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject

CODEX: JSONObject = {
    "model": "openai/gpt-4o",
    "input": [
        {
            "type": "message",
            "role": "developer",
            "id": "msg_7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "content": [
                {"type": "input_text", "text": "You work in a terminal. " * 50},
                {"type": "input_text", "text": "Ask before you delete."},
            ],
        },
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "List the files."}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "QUJD"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "spawn",
            "namespace": "helpers",
            "arguments": '{"task":"ls"}',
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "README.md"},
        {
            "type": "message",
            "role": "assistant",
            "id": "msg_1",
            "status": "completed",
            "phase": "final_answer",
            "content": [{"type": "output_text", "text": "README.md"}],
        },
    ],
    "tools": [
        {
            "type": "function",
            "name": "run_command",
            "description": "Runs a command.",
            "strict": False,
            "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]},
        },
        {
            "type": "namespace",
            "name": "helpers",
            "description": "Helpers.",
            "tools": [
                {"type": "function", "name": "spawn", "strict": False, "parameters": {"type": "object"}}
            ],
        },
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199f1b4-7f9e-7c2b-a5a1-0a3b5c7d9e1f",
    "client_metadata": {"session": "1", "turn": {"number": 3}},
}
"""A request in the form that Codex CLI sends."""


FULL: JSONObject = CODEX | {
    "tool_choice": {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "run_command"}],
    },
    "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
    "metadata": {"a": "b"},
    "conversation": {"id": "conv_1"},
    "temperature": 1,
    "max_output_tokens": 20,
    "context_management": [{"type": "compaction", "compact_threshold": 2000}],
}
"""A request with most of the other parameters."""


def refusal_of(body: JSON) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        create_response.decode(body if isinstance(body, bytes) else msgspec.json.encode(body))
    error = caught.value
    assert (error.status, error.type) == (400, "invalid_request_error")
    return error


def fault_of(body: bytes) -> InvalidRequest | None:
    """Return the error if there is one; any other exception fails the test."""
    try:
        create_response.decode(body)
    except InvalidRequest as error:
        return error
    return None
