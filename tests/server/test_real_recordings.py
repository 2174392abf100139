"""Every real recording is asked for through the API: in its own words, in others, and for something else."""

import copy
import json
import logging
from collections import defaultdict
from collections.abc import Callable

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.recording.calls import RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.wire.json import JSON, JSONObject
from tests.recording.asking import catalogue, in_scope, payloads, with_client
from tests.recording.rewrites import REWRITES, Rewrite
from tests.recording.samples import recordings


def chats() -> list[RecordedCall]:
    return [call for call in read_calls(recordings("llama-stack"), []) if call.kind == "chat"]


async def ask(client: httpx2.AsyncClient, body: JSONObject, scope: str) -> httpx2.Response:
    return await client.post("/chat/completions", json=body, headers=in_scope(scope))


def answer_of(call: RecordedCall) -> JSON:
    """What the API answers for a recording, in the way in which it was recorded."""
    if call.error is not None:
        return call.error.status_code
    values = [json.loads(payload) for payload in call.payloads()]
    return values if call.streamed else values[0]


def given_by(response: httpx2.Response, call: RecordedCall) -> JSON:
    if response.status_code != 200:
        assert response.json()["error"]["code"] != "recording_not_found", response.text
        return response.status_code
    return payloads(response) if call.streamed else response.json()


@pytest.mark.usefixtures("no_sockets")
def test_every_real_recording_answers_the_body_it_holds(caplog: pytest.LogCaptureFixture) -> None:
    async def check(client: httpx2.AsyncClient) -> None:
        for call in chats():
            caplog.clear()
            response = await ask(client, call.request, call.scope)
            line = caplog.messages[-1]
            assert "; hit exact" in line or (call.stale and "; hit" in line), line
            if not call.stale:
                assert call.name[:6] in line
                assert given_by(response, call) == answer_of(call), call.name

    with caplog.at_level(logging.INFO, "antiphon.access"):
        with_client(catalogue(recordings("llama-stack")), check)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(REWRITES), min_size=2, max_size=6, unique=True))
def test_every_real_recording_answers_other_words_for_the_same(rewrites: list[Rewrite]) -> None:
    answers: defaultdict[str, list[JSON]] = defaultdict(list)
    for call in chats():
        answers[call.key].append(answer_of(call))

    async def check(client: httpx2.AsyncClient) -> None:
        for call in chats():
            body = call.request
            for rewrite in rewrites:
                body = rewrite(body)
            response = await ask(client, {**body, "stream": call.streamed}, call.scope)
            given = given_by(response, call)
            # A stale recording gives way to the one that llama-stack would find.
            assert call.stale or given in answers[call.key], (call.name, rewrites)

    with_client(catalogue(recordings("llama-stack")), check)


def another_word(body: JSONObject) -> None:
    message = next(each for each in body["messages"] if each["role"] == "user")
    content = message["content"]
    if isinstance(content, str):
        message["content"] = content + "?"
    else:
        part = next((each for each in content if each["type"] == "text"), None)
        if part is None:
            content.append({"type": "text", "text": "?"})
        else:
            part["text"] += "?"


def another_temperature(body: JSONObject) -> None:
    body["temperature"] = 0.123


def another_seed(body: JSONObject) -> None:
    body["seed"] = 99


def another_tool(body: JSONObject) -> None:
    tool = {"type": "function", "function": {"name": "more", "parameters": {"type": "object"}}}
    body["tools"] = [*(body.get("tools") or []), tool]


def another_turn(body: JSONObject) -> None:
    body["messages"].append({"role": "user", "content": "And then?"})


def another_system_message(body: JSONObject) -> None:
    body["messages"].insert(0, {"role": "system", "content": "Answer in Latin."})


def another_limit(body: JSONObject) -> None:
    body["max_completion_tokens"] = 7


EDITS: list[Callable[[JSONObject], None]] = [
    another_word,
    another_temperature,
    another_seed,
    another_tool,
    another_turn,
    another_system_message,
    another_limit,
]


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.permutations(EDITS))
def test_no_real_recording_answers_a_request_that_means_something_else(
    edits: list[Callable[[JSONObject], None]],
) -> None:
    async def check(client: httpx2.AsyncClient) -> None:
        for number, call in enumerate(chats()):
            body = copy.deepcopy(call.request)
            edits[number % len(edits)](body)
            response = await ask(client, body, call.scope)
            assert response.status_code == 502, (call.name, edits[number % len(edits)])
            assert response.json()["error"]["code"] == "recording_not_found"

    with_client(catalogue(recordings("llama-stack")), check)
