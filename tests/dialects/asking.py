"""Clients that the server distinguishes, their requests, and recordings of llama-stack's tests."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openai import OpenAI

from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import recordings
from tests.server.client import Reply, call

NATIVE_2025, OPENAI_2025 = "llama-stack-client 0.3.0", "openai-python for llama-stack"
NATIVE_2026, OPENAI_2026 = "llama-stack-client 0.7.5", "openai-python for OGX"
OPENAI = "openai-python"
THEIRS_2025, THEIRS_2026 = (NATIVE_2025, OPENAI_2025), (NATIVE_2026, OPENAI_2026)
THEIRS = THEIRS_2025 + THEIRS_2026
EVERY = (*THEIRS, OPENAI)

SUITE = "tests/integration/responses/test_tool_responses.py::test_response_"
EXPERTS = "[client_with_models-txt=openai/gpt-4o-llama_experts]"
"""Parameters of the test of the first seed."""
PERMISSIONS = "[client_with_models-txt=openai/gpt-4o-user_permissions_workflow]"
"""Parameters of the test of the second seed."""


def headers(client: str, scope: str = "default") -> dict[str, str]:
    """Return the headers of a client, with llama-stack's way to name a test."""
    data = json.dumps({"__test_id": scope})
    if client == OPENAI:
        return {"User-Agent": "OpenAI/Python 3.52.0", "X-Antiphon-Scope": scope}
    if client == OPENAI_2025:
        return {"User-Agent": "OpenAI/Python 3.52.0", "X-LlamaStack-Provider-Data": data}
    if client == OPENAI_2026:
        return {"User-Agent": "OpenAI/Python 3.52.0", "X-OGX-Provider-Data": data}
    version = client.removeprefix("llama-stack-client ")
    return {
        "User-Agent": f"LlamaStackClient/Python {version}",
        "X-LlamaStack-Client-Version": version,
        "X-LlamaStack-Provider-Data": data,
    }


@contextmanager
def python(url: str, client: str, scope: str = "default") -> Iterator[OpenAI]:
    """Yield an openai-python with the headers of a client."""
    given = headers(client, scope)
    with OpenAI(base_url=url, api_key="none", max_retries=0, default_headers=given) as opened:
        yield opened


def asked(url: str, client: str, method: str, path: str, body: JSON = None) -> Reply:
    """Send one request of a client, and return the answer."""
    return call(url, method, path, body, headers(client))


def streamed(url: str, client: str, body: JSONObject) -> list[JSON]:
    """Return the events of a stream, which ends with `[DONE]` except for the clients of 2025."""
    reply = asked(url, client, "POST", "/responses", {**body, "stream": True})
    assert reply.status == 200, reply.body
    frames = reply.body.decode().split("\n\n")
    assert frames.pop() == ""
    if client not in THEIRS_2025:
        assert frames.pop() == "data: [DONE]"
    return [json.loads(frame.split("\ndata: ")[1]) for frame in frames]


def created(url: str, client: str, body: JSONObject, *, stream: bool = False) -> JSONObject:
    """Return the final response."""
    if stream:
        last: JSONObject = streamed(url, client, body)[-1]["response"]
        return last
    reply = asked(url, client, "POST", "/responses", body)
    assert reply.status == 200, reply.body
    whole: JSONObject = reply.json
    return whole


def types(events: list[JSON]) -> list[str]:
    """Return the types of events, without their common prefix."""
    return [event["type"].removeprefix("response.") for event in events]


def scenario(directory: Path, *names: str) -> Path:
    """Copy the recordings of tests whose ids contain one of `names`, and return the directory."""
    directory.mkdir()
    for file in (*recordings("llama-stack").glob("*.json"), *recordings("seeds").glob("*.json")):
        test = json.loads(file.read_text("utf-8")).get("test_id") or ""
        if any(name in test for name in names):
            shutil.copy(file, directory)
    return directory
