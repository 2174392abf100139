"""Recordings through the API: real ones in every wording, modes, headers, runs that are the same bytes."""

import asyncio
import copy
import json
import logging
import socket
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.recording import scope_file
from antiphon.recording.calls import RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.recording.replies import fold_chunks
from antiphon.wire.json import JSON, JSONObject
from tests.recording.asking import Backend, catalogue, in_scope, payloads, said, text_of, with_client
from tests.recording.rewrites import REWRITES, Rewrite
from tests.recording.samples import chat_request, chunk, recordings

HELLO = [chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop")]


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that looks up a host, connects, listens or sends."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was used")

    for name in ("connect", "connect_ex", "bind", "listen", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(AssertionError, match="a socket was used"):
        socket.create_connection(("127.0.0.1", 9))


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


def record(directory: Path, backend: Backend, body: JSONObject, scope: str = "default") -> httpx2.Response:
    """Makes one recorded chat completion."""

    async def once(client: httpx2.AsyncClient) -> httpx2.Response:
        return await ask(client, body, scope)

    return with_client(catalogue(directory, "record", backend), once)


@pytest.mark.parametrize("recorded_streamed", [True, False])
@pytest.mark.parametrize("asked_streamed", [True, False])
@pytest.mark.usefixtures("no_sockets")
def test_a_recording_of_either_kind_answers_a_call_of_either_kind(
    recorded_streamed: bool, asked_streamed: bool, tmp_path: Path
) -> None:
    body = {**chat_request(), "model": "m"}
    backend = Backend(HELLO if recorded_streamed else [said("Hello")])
    assert text_of(record(tmp_path, backend, {**body, "stream": recorded_streamed})) == "Hello"

    async def check(client: httpx2.AsyncClient) -> None:
        assert text_of(await ask(client, {**body, "stream": asked_streamed}, "default")) == "Hello"

    with_client(catalogue(tmp_path), check)


async def conversation(client: httpx2.AsyncClient) -> bytes:
    """Two streamed turns and a conversation; returns every byte that the server sent."""
    bodies = []
    first = await client.post("/responses", json={"model": "m", "input": "One", "stream": True})
    response_id = json.loads(first.text.split("data: ")[1].split("\n")[0])["response"]["id"]
    bodies.append(first)
    second = {"model": "m", "input": "Two", "stream": True, "previous_response_id": response_id}
    bodies.append(await client.post("/responses", json=second))
    bodies.append(await client.post("/conversations", json={"items": [{"role": "user", "content": "Hi"}]}))
    bodies.append(await client.get(f"/conversations/{bodies[-1].json()['id']}/items"))
    bodies.append(await client.get(f"/responses/{response_id}"))
    assert [body.status_code for body in bodies] == [200] * 5
    return b"\n".join(body.content for body in bodies)


def test_record_and_replay_are_the_same_bytes_when_ids_and_times_are_frozen(tmp_path: Path) -> None:
    backend = Backend(HELLO, [chunk({"content": "Bye"}), chunk({}, "stop")])
    recorded = with_client(catalogue(tmp_path, "record", backend), conversation, freeze=True)
    assert b"response.completed" in recorded
    for _ in range(2):
        assert with_client(catalogue(tmp_path), conversation, freeze=True) == recorded


def test_a_hundred_replays_are_the_same_bytes(tmp_path: Path) -> None:
    record(tmp_path, Backend(HELLO), {**chat_request("One"), "model": "m"})

    async def once(client: httpx2.AsyncClient) -> bytes:
        return (await client.post("/responses", json={"model": "m", "input": "One", "stream": True})).content

    replays = {with_client(catalogue(tmp_path), once, freeze=True) for _ in range(100)}
    assert len(replays) == 1


def test_without_freeze_ids_differ(tmp_path: Path) -> None:
    record(tmp_path, Backend(HELLO), {**chat_request("One"), "model": "m"})

    async def once(client: httpx2.AsyncClient) -> str:
        return str((await client.post("/responses", json={"model": "m", "input": "One"})).json()["id"])

    assert with_client(catalogue(tmp_path), once) != with_client(catalogue(tmp_path), once)


def test_concurrent_replays_never_swap_answers(tmp_path: Path) -> None:
    replies = [[chunk({"content": f"Answer {n}"}), chunk({}, "stop")] for n in range(32)]

    async def make(client: httpx2.AsyncClient) -> None:
        for n in range(32):
            await ask(client, {**chat_request(f"Question {n % 16}"), "model": "m", "stream": True}, "s")

    with_client(catalogue(tmp_path, "record", Backend(*replies)), make)

    async def together(client: httpx2.AsyncClient) -> list[str]:
        bodies = [{**chat_request(f"Question {n % 16}"), "model": "m", "stream": True} for n in range(32)]
        return [text_of(each) for each in await asyncio.gather(*(ask(client, b, "s") for b in bodies))]

    for _ in range(5):
        assert with_client(catalogue(tmp_path), together) == [f"Answer {n}" for n in range(32)]


def test_a_miss_is_an_error_that_shows_the_nearest(tmp_path: Path) -> None:
    record(tmp_path, Backend(HELLO), {**chat_request("What is 2 + 2?"), "model": "m"}, "tests/sums")

    async def check(client: httpx2.AsyncClient) -> None:
        for path, body in (
            ("/chat/completions", {**chat_request("What is 2 + 3?"), "model": "m"}),
            ("/responses", {"input": "What is 2 + 3?", "model": "m"}),
        ):
            response = await client.post(path, json=body)
            error = response.json()["error"]
            assert (response.status_code, error["code"]) == (502, "recording_not_found")
            first, difference = error["message"].splitlines()
            assert "tests-sums-" in first
            assert "(tests/sums)" in first
            assert difference == ('  messages[0].content: asked "What is 2 + 3?", recorded "What is 2 + 2?"')

    with_client(catalogue(tmp_path), check)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (
            UpstreamRefused("Slow down", upstream_status=429, headers={"Retry-After": "7"}),
            429,
            "rate_limit_exceeded",
        ),
        (UpstreamRefused("Broken", upstream_status=500), 502, "upstream_error"),
        (UpstreamRefused("No", upstream_status=400, code="odd", param="messages"), 400, "odd"),
        (UpstreamTimeout("Too slow"), 504, "upstream_error"),
        (UpstreamBroken("Cut"), 502, "upstream_error"),
    ],
)
def test_an_error_of_the_backend_replays_as_such(
    error: UpstreamRefused, status: int, code: str, tmp_path: Path
) -> None:
    body = {**chat_request(), "model": "m"}
    live = record(tmp_path, Backend(error), body)

    async def once(client: httpx2.AsyncClient) -> httpx2.Response:
        return await ask(client, body, "default")

    replayed = with_client(catalogue(tmp_path), once)
    assert (replayed.status_code, replayed.json()["error"]["code"]) == (status, code)
    assert replayed.json() == live.json()
    assert replayed.headers.get("retry-after") == live.headers.get("retry-after")


def test_a_stream_that_was_cut_is_cut_in_replay_at_the_same_place(tmp_path: Path) -> None:
    backend = Backend(HELLO[:2])
    backend.cut = UpstreamBroken("up: the connection was cut in the middle of its answer")

    async def once(client: httpx2.AsyncClient) -> bytes:
        return (
            await client.post("/responses", json={"model": "m", "input": "Hello", "stream": True})
        ).content

    live = with_client(catalogue(tmp_path, "record", backend), once, freeze=True)
    assert b"response.failed" in live
    assert b'"delta":"lo"' in live
    assert with_client(catalogue(tmp_path), once, freeze=True) == live


@pytest.mark.parametrize("name", ["x-antiphon-recording", "x-antiphon-fault"])
def test_headers_need_the_operators_leave(name: str, tmp_path: Path) -> None:
    async def check(client: httpx2.AsyncClient) -> None:
        body = {**chat_request(), "model": "m"}
        response = await client.post("/chat/completions", json=body, headers={name: "live"})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "recording_header_not_allowed")
        assert error["param"] == name

    with_client(catalogue(tmp_path, "live", Backend(HELLO)), check)


def test_a_request_chooses_its_mode(tmp_path: Path) -> None:
    backend = Backend([said("One")], [said("Two")])

    async def check(client: httpx2.AsyncClient) -> None:
        async def asked(mode: str) -> httpx2.Response:
            body = {**chat_request(), "model": "m"}
            return await client.post("/chat/completions", json=body, headers={"x-antiphon-recording": mode})

        assert (await asked("replay")).json()["error"]["code"] == "model_not_found"
        assert text_of(await asked("record")) == "One"
        assert text_of(await asked("live")) == "Two"
        assert text_of(await asked("replay")) == "One"
        wrong = await asked("rewind")
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "x-antiphon-recording")

    with_client(catalogue(tmp_path, "live", backend), check, header=True)
    assert len(backend.requests) == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"x-antiphon-scope": "a"},
        {"x-ogx-provider-data": '{"__test_id": "a", "key": 1}'},
        {"x-llamastack-provider-data": '{"__test_id": "a"}'},
        {"x-antiphon-scope": "a", "x-ogx-provider-data": '{"__test_id": "b"}'},
        {"x-ogx-provider-data": "no JSON", "x-llamastack-provider-data": '{"__test_id": "a"}'},
    ],
)
def test_a_request_names_its_scope(headers: dict[str, str], tmp_path: Path) -> None:
    for scope in ("a", "b"):
        record(tmp_path, Backend([said(f"For {scope}")]), {**chat_request(), "model": "m"}, scope)

    async def check(client: httpx2.AsyncClient) -> None:
        body = {**chat_request(), "model": "m"}
        response = await client.post("/chat/completions", json=body, headers=headers)
        assert text_of(response) == "For a"

    with_client(catalogue(tmp_path), check)


def test_a_scope_has_a_length(tmp_path: Path) -> None:
    async def check(client: httpx2.AsyncClient) -> None:
        body = {**chat_request(), "model": "m"}
        response = await ask(client, body, "a" * 1001)
        assert (response.status_code, response.json()["error"]["param"]) == (400, "x-antiphon-scope")

    with_client(catalogue(tmp_path, "live", Backend(HELLO)), check)


def test_the_request_log_says_what_became_of_each_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check(client: httpx2.AsyncClient) -> None:
        await client.post("/responses", json={"model": "m", "input": "One"})
        assert caplog.messages[-1].endswith("completed; miss; recorded")
        await ask(client, {**chat_request("One"), "model": "m"}, "other")
        assert caplog.messages[-1].endswith("; hit canonical default.json#1")
        assert caplog.records[-1].__dict__["fields"]["recording"] == ["hit canonical default.json#1"]

    with caplog.at_level(logging.INFO, "antiphon.access"):
        with_client(catalogue(tmp_path, "record-missing", Backend(HELLO)), check)


def test_a_secret_stops_the_recording_and_the_answer(tmp_path: Path) -> None:
    backend = Backend([said("Hi")])
    body = {**chat_request("My key is sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4eFg7hIj0k"), "model": "m"}
    error = record(tmp_path, backend, body).json()["error"]
    assert error["code"] == "secret_in_recording"
    assert "request.messages[0].content" in error["message"]
    assert "Ab3dEf6hIj9l" not in error["message"]
    assert backend.requests == []
    assert list(tmp_path.iterdir()) == []


def test_faults_come_by_rule_and_by_header(tmp_path: Path) -> None:
    async def check(client: httpx2.AsyncClient) -> None:
        body = {**chat_request(), "model": "m"}
        refused = await ask(client, body, "default")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert text_of(await ask(client, body, "default")) == "Hi"
        header = {"x-antiphon-fault": "500"}
        assert (await client.post("/chat/completions", json=body, headers=header)).status_code == 502
        header = {"x-antiphon-fault": "explode"}
        wrong = await client.post("/chat/completions", json=body, headers=header)
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "x-antiphon-fault")

    models = catalogue(tmp_path, "live", Backend([said("Hi")]), faults="429:3,model=up/*,call=1")
    with_client(models, check, header=True)


def test_what_is_recorded_can_be_read_by_a_person(tmp_path: Path) -> None:
    record(tmp_path, Backend(HELLO), {**chat_request(), "model": "m", "stream": True}, "greeting")
    (path,) = tmp_path.iterdir()
    (call,) = scope_file.read(path)
    assert json.loads(fold_chunks(call.payloads()))["choices"][0]["message"]["content"] == "Hello"
    assert "Hello" in path.read_text()
