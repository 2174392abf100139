"""Recordings through the API: real ones with equivalent requests, modes, headers, and equal bytes."""

import asyncio
import json
import logging
from pathlib import Path

import httpx2
import pytest

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.recording.files import scope_file
from antiphon.wire.json import JSONObject
from tests.recording.asking import Backend, catalogue, in_scope, said, text_of, with_client
from tests.recording.samples import chat_request, chunk

HELLO = [chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop")]


async def ask(client: httpx2.AsyncClient, body: JSONObject, scope: str) -> httpx2.Response:
    return await client.post("/chat/completions", json=body, headers=in_scope(scope))


def record(directory: Path, backend: Backend, body: JSONObject, scope: str = "default") -> httpx2.Response:
    """Record one chat completion."""

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
    """Run two streamed turns and a conversation; return every byte from the server."""
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
            assert difference == (
                '  messages[0].content: requested "What is 2 + 3?", recorded "What is 2 + 2?"'
            )

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
    assert replayed.json()["error"] == live.json()["error"]
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

        assert (await asked("replay")).json()["error"]["code"] == "recording_not_found"
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
        assert caplog.messages[-1].endswith("completed; 1 recorded")
        await ask(client, {**chat_request("One"), "model": "m"}, "other")
        assert caplog.messages[-1].endswith("; hit canonical default.json#1")
        assert caplog.records[-1].__dict__["fields"]["recording"]["hits"] == ["canonical default.json#1"]

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
