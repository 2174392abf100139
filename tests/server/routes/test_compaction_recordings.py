"""Recording and replay of compaction, also from llama-stack's recordings."""

from pathlib import Path

import httpx2
import msgspec
import pytest

from antiphon.engine.request.summary import PROMPT, as_told
from antiphon.recording.seam.lookup import DEFAULT_CAPABILITIES
from antiphon.wire.json import JSON, JSONObject
from tests.recording.asking import Backend, catalogue, said, with_client
from tests.recording.samples import chunk, recording, write

TURNS: JSON = [
    {"role": "user", "content": "One"},
    {"role": "assistant", "content": "Two"},
    {"role": "user", "content": "Three"},
]
AUTO: JSON = [{"type": "compaction", "compact_threshold": 1000}]
LONG = "x" * 5000
USAGE = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}


async def compact_and_go_on(client: httpx2.AsyncClient) -> list[JSON]:
    """Compact at the endpoint, continue from there, and compact during a response; return types and texts."""
    compacted = await client.post("/responses/compact", json={"model": "m", "input": TURNS})
    assert compacted.status_code == 200, compacted.text
    output = compacted.json()["output"]
    told: list[JSON] = [[item["type"] for item in output]]
    for body in (
        {"input": [*output, {"role": "user", "content": "Four"}]},
        {"input": [*TURNS, {"role": "user", "content": LONG}], "context_management": AUTO},
    ):
        answer = await client.post("/responses", json={"model": "m", **body})
        assert answer.status_code == 200, answer.text
        told.append([item["type"] for item in answer.json()["output"]])
        told.append(answer.json()["output"][-1]["content"][0]["text"])
    return told


TOLD = [
    ["message", "message", "compaction"],
    ["message"],
    "Five",
    ["compaction", "message"],
    "Six",
]


def streamed(text: str) -> list[JSONObject]:
    return [chunk({"content": text}), chunk({}, "stop")]


@pytest.mark.usefixtures("no_sockets")
def test_compaction_is_recorded_and_replayed(tmp_path: Path) -> None:
    backend = Backend([said("Short.", usage=USAGE)], streamed("Five"), [said("Long.")], streamed("Six"))
    assert with_client(catalogue(tmp_path, "record", backend), compact_and_go_on) == TOLD
    assert with_client(catalogue(tmp_path), compact_and_go_on) == TOLD


def parts(text: str) -> JSON:
    """Return a text as llama-stack sends it once it was stored."""
    return [{"type": "text", "text": text}]


@pytest.mark.usefixtures("no_sockets")
def test_what_llama_stack_recorded_answers(tmp_path: Path) -> None:
    asked = {"role": "user", "content": PROMPT}
    one, three = ({"role": "user", "content": parts(text)} for text in ("One", "Three"))
    long = {"role": "user", "content": parts(LONG)}
    calls: list[tuple[JSON, JSON]] = [
        ([one, {"role": "assistant", "content": parts("Two")}, three, asked], said("Short.")),
        ([one, three, as_told("Short."), {"role": "user", "content": "Four"}], streamed("Five")),
        ([*TURNS, {"role": "user", "content": LONG}, asked], said("Long.")),
        ([one, three, long, as_told("Long.")], streamed("Six")),
    ]
    for number, (messages, body) in enumerate(calls):
        is_streamed = isinstance(body, list)
        options = {"stream_options": {"include_usage": True}} if is_streamed else {}
        request = {"model": "m", "messages": messages, "stream": is_streamed, **options}
        write(tmp_path, f"{number}.json", recording(request, body))
    assert with_client(catalogue(tmp_path), compact_and_go_on) == TOLD


async def think_and_go_on(client: httpx2.AsyncClient) -> bytes:
    """Run two turns of a client that keeps the history, also encrypted; return every byte from the server."""
    asked: JSONObject = {"role": "user", "content": "6 * 7?"}
    body = {"model": "m", "store": False, "include": ["reasoning.encrypted_content"]}
    first = await client.post("/responses", json={**body, "input": [asked]})
    history = [asked, *first.json()["output"], {"role": "user", "content": "Sure?"}]
    second = await client.post("/responses", json={**body, "input": history, "stream": True})
    assert "response.completed" in second.text
    return first.content + second.content


@pytest.mark.usefixtures("no_sockets")
def test_encrypted_content_has_the_same_bytes_in_a_frozen_replay(tmp_path: Path) -> None:
    detail = {"type": "reasoning.encrypted", "data": "QUJD", "index": 0}
    thought = chunk({"reasoning_details": [detail]})
    knows = msgspec.structs.replace(DEFAULT_CAPABILITIES, reasoning_input="reasoning_details")
    backend = Backend([thought, *streamed("42")], streamed("Yes."), capabilities=knows)
    recorded = with_client(catalogue(tmp_path, "record", backend), think_and_go_on, freeze=True)
    assert backend.requests[1]["messages"][1]["reasoning_details"] == [detail]
    assert with_client(catalogue(tmp_path), think_and_go_on, freeze=True) == recorded
