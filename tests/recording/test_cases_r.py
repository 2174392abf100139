"""Conformance cases of recording and replay, R1 to R14 and R20, each over HTTP.

`test_cases_r_hosted.py` has R12, R13 and R14 with hosted tools.
"""

import asyncio
import hashlib
import json
import logging
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import InternalServerError, OpenAI

from antiphon.recording.collection import Collection
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.recording.seam.player import ToolPlayer
from antiphon.recording.seam.record import CallWriter, ToolRecorder
from antiphon.testing import LocalServer, serve
from antiphon.wire.json import JSON, JSONObject
from tests.recording.case_world import ask, calling, chat, chat_body, recording, said, words
from tests.recording.rewrites import reverse_keys
from tests.recording.samples import recordings
from tests.server.client import Reply, call, post
from tests.support.notes import noting, recordings_of
from tests.support.upstream import chunk, completion, reply, sse

WEATHER: JSONObject = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    "strict": False,
}


def two_turns(server: LocalServer) -> bytes:
    """Return a question, a function call, its output and the answer, as the bytes of two event streams."""
    first = ask(server.url, "Is it raining in Oslo?", tools=[WEATHER])
    result = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    last = first.last["id"]
    second = ask(server.url, input=[result], previous_response_id=last, tools=[WEATHER]) if last else first
    return first.body + second.body


def test_R1_record_and_replay_give_the_same_bytes(tmp_path: Path) -> None:
    answers = calling("weather", {"place": "Oslo"}), words("Yes", ", it", " rains.")
    with recording(tmp_path, *answers, freeze=True) as (server, _):
        recorded = two_turns(server)
    assert recorded.count(b"event: response.completed") == 2
    assert b"it rains." in recorded
    with serve(tmp_path, freeze=True) as server:
        assert two_turns(server) == recorded


def test_R2_a_hundred_replays_are_identical(tmp_path: Path) -> None:
    with recording(tmp_path, words("One", " two", " three")) as (server, _):
        ask(server.url)

    def without_ids(body: bytes) -> bytes:
        return re.sub(rb'"(resp|msg)_[0-9a-f]+"|"(created|completed)_at":[0-9.]+', b"", body)

    with serve(tmp_path, repeat=True) as server:
        body = chat_body(stream=True)
        assert len({post(server.url, "/chat/completions", body).body for _ in range(50)}) == 1
        assert len({without_ids(ask(server.url).body) for _ in range(50)}) == 1


def test_R3_replay_opens_no_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with recording(tmp_path, words("Hi")) as (server, upstream):
        ask(server.url)
        backends_port = upstream.port
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{backends_port}/v1")
    connect, called = socket.socket.connect, []

    def watched(self: socket.socket, address: tuple[str, int]) -> None:
        called.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    monkeypatch.setattr(socket.socket, "connect_ex", None)
    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", None)
    with serve(tmp_path, discover=True) as server:
        assert said(ask(server.url, stream=False)) == "Hi"
        assert said(ask(server.url, "Another question", stream=False)) == "recording_not_found"
        assert call(server.url, "GET", "/models").json["data"][0]["id"] == "m"
        own = urlsplit(server.url)
    # The three requests of this test's own client are the only connections.
    assert called == [(own.hostname, own.port)] * 3


@pytest.mark.parametrize("streamed", [False, True])
def test_R4_a_miss_is_a_typed_error_with_the_nearest_and_the_difference(
    streamed: bool, tmp_path: Path
) -> None:
    with recording(tmp_path, words("4"), words("Paris")) as (server, _):
        chat(server.url, "What is 2 + 2?", temperature=0.5)
        chat(server.url, "What is the capital of France?")
    with (
        serve(tmp_path) as server,
        OpenAI(base_url=server.url, api_key="none") as client,
        pytest.raises(InternalServerError) as caught,
    ):
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "What is 2 + 3?"}], stream=streamed
        )
    error = caught.value
    assert (error.status_code, error.code, error.type) == (502, "recording_not_found", "server_error")
    assert error.body["message"].splitlines() == [  # type: ignore[index]
        "No recording answers this call to m. The nearest is default.json#1. They differ:",
        '  messages[0].content: requested "What is 2 + 3?", recorded "What is 2 + 2?"',
        "  temperature: requested nothing, recorded 0.5",
    ]


def test_the_log_line_of_a_miss_shows_the_first_difference(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with recording(tmp_path, words("Paris")) as (server, _):
        ask(server.url, "The capital of France?")
    with caplog.at_level(logging.INFO, "antiphon.access"), serve(tmp_path) as server:
        ask(server.url, "The capital of Spain?", stream=False)
    assert caplog.messages[-1].endswith(
        " No recording answers this call to m. The nearest is default.json#1. They differ; 1 miss: "
        'messages[0].content: requested "The capital of Spain?", recorded "The capital of France?"'
    )


def test_R5_the_key_does_not_depend_on_how_a_request_is_written(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": WEATHER["parameters"]}}]
    body = chat_body(tools=tools)
    with recording(tmp_path, reply(completion("Hi"))) as (server, _):
        post(server.url, "/chat/completions", body)
    with serve(tmp_path, repeat=True) as server:
        written = [
            body,
            reverse_keys(body),
            json.dumps(body, indent=4).encode(),
            json.dumps(body, separators=(",", ":")).encode(),
        ]
        for each in written:
            for headers in ({}, {"User-Agent": "OpenAI/Python 9.9", "X-Stainless-Package-Version": "9.9"}):
                answer = post(server.url, "/chat/completions", each, headers)
                assert said(answer) == "Hi"


@pytest.mark.shared
def test_R5_the_exact_key_is_llama_stacks_and_so_not_ours_to_change() -> None:
    """The test has the rule from its documentation, so that a change of ours can't go unnoticed."""
    (path,) = recordings("seeds").glob("aadc0675*.json")
    file = json.loads(path.read_text())
    hashed = {
        "method": "POST",
        "endpoint": "/v1/v1/chat/completions",
        "body": file["request"]["body"],
        "test_id": file["test_id"],
    }
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()
    entries = Collection(path.parent).chats.entries
    assert [entry.call.exact_hash for entry in entries if entry.call.name == path.name] == [digest]
    assert digest == path.stem


EDITS: dict[str, Callable[[JSONObject], JSONObject]] = {
    "model": lambda body: {**body, "model": "n"},
    "tool schema": lambda body: {
        **body,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "array"}}}],
    },
    "temperature": lambda body: {**body, "temperature": 0.51},
    "seed": lambda body: {**body, "seed": 8},
    "role": lambda body: {**body, "messages": [{**body["messages"][0], "role": "system"}]},
}
SENTENCE = "Tell me: 2 or 3? "


def test_R6_every_meaningful_change_changes_the_key(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    body = chat_body(SENTENCE, temperature=0.5, seed=7, tools=tools)
    with recording(tmp_path, reply(completion("2"))) as (server, _):
        post(server.url, "/chat/completions", body)
        # The first edit requests a second model, which has to exist.
        post(server.url, "/chat/completions", {**chat_body("x"), "model": "up/n"})
    changed = {name: edit(body) for name, edit in EDITS.items()}
    for position in range(len(SENTENCE)):
        edited = SENTENCE[:position] + "_" + SENTENCE[position + 1 :]
        changed[f"character {position}"] = {**body, "messages": chat_body(edited)["messages"]}
    with serve(tmp_path, repeat=True) as server:
        assert said(post(server.url, "/chat/completions", body)) == "2"
        for name, other in changed.items():
            assert said(post(server.url, "/chat/completions", other)) == "recording_not_found", name


def test_R7_independent_calls_may_come_in_another_order(tmp_path: Path) -> None:
    with recording(tmp_path, words("A"), words("B"), words("C")) as (server, _):
        for text in "abc":
            ask(server.url, text)
    with serve(tmp_path) as server:
        assert [said(ask(server.url, text, stream=False)) for text in "cab"] == ["C", "A", "B"]


def test_R8_the_same_call_twice_is_answered_in_order(tmp_path: Path) -> None:
    with recording(tmp_path, words("first"), words("second")) as (server, _):
        assert [said(ask(server.url, stream=False)) for _ in range(2)] == ["first", "second"]
    with serve(tmp_path) as server:
        answers = [ask(server.url, stream=False) for _ in range(3)]
        assert [said(answer) for answer in answers] == ["first", "second", "recording_not_found"]
        assert "recorded 2 times" in answers[2].error["message"]
    with serve(tmp_path, repeat=True) as server:
        assert [said(ask(server.url, stream=False)) for _ in range(3)] == ["first", "second", "second"]


def test_R9_concurrent_replays_never_swap_answers(tmp_path: Path) -> None:
    scopes = [f"test {number}" for number in range(32)]
    with recording(tmp_path, *(words(f"{scope} ", str(turn)) for scope in scopes for turn in (1, 2))) as (
        server,
        _,
    ):
        for scope in scopes:
            for _ in range(2):
                ask(server.url_of(scope))

    with serve(tmp_path) as server, ThreadPoolExecutor(32) as threads:

        def both(scope: str) -> list[str]:
            return [said(ask(server.url_of(scope), stream=False)) for _ in range(2)]

        assert list(threads.map(both, scopes)) == [[f"{scope} 1", f"{scope} 2"] for scope in scopes]
    # Within one scope, too, each recording answers once.
    with serve(tmp_path) as server, ThreadPoolExecutor(32) as threads:
        given = list(threads.map(lambda _: said(ask(server.url_of("test 7"), stream=False)), scopes))
    assert sorted(given) == sorted(["test 7 1", "test 7 2", *["recording_not_found"] * 30])


def test_R10_streamed_recordings_answer_non_streaming_calls_and_back(tmp_path: Path) -> None:
    with recording(tmp_path, words("Hel", "lo"), reply(completion("World"))) as (server, _):
        chat(server.url, "streamed", stream=True)
        chat(server.url, "whole")
    with serve(tmp_path, repeat=True) as server, OpenAI(base_url=server.url, api_key="none") as client:
        for text, expected in (("streamed", "Hello"), ("whole", "World")):
            asked: JSON = [{"role": "user", "content": text}]
            whole = client.chat.completions.create(model="m", messages=asked)
            assert whole.choices[0].message.content == expected
            with client.chat.completions.create(model="m", messages=asked, stream=True) as chunks:
                pieces = [part.choices[0].delta.content or "" for part in chunks if part.choices]
            assert "".join(pieces) == expected
            assert client.responses.create(model="m", input=text).output_text == expected


def test_R11_errors_and_cut_streams_replay_as_such(tmp_path: Path) -> None:
    def outcomes(url: str) -> list[JSON]:
        limited, broken = chat(url, "limited"), chat(url, "broken")
        cut = post(url, "/chat/completions", chat_body("cut", stream=True)).payloads
        failed = ask(url, "cut too").last
        garbled, told = (ask(url, text).last for text in ("garbled", "told"))
        return [
            (limited.status, limited.error, limited.headers["retry-after"]),
            (broken.status, broken.error),
            cut,
            *(
                (each["status"], each["error"], [item["content"][0]["text"] for item in each["output"]])
                for each in (failed, garbled, told)
            ),
        ]

    answers = (
        reply(
            {"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}, status=429, Retry_After="7"
        ),
        reply({"error": {"message": "Oh no"}}, status=500),
        sse(chunk("Hal"), done=False, end="cut"),
        sse(chunk("Half"), chunk(" a"), done=False, end="cut"),
        sse(chunk("Hal"), b'{"choices": [{"del', chunk("f")),
        sse(chunk("Ha"), {"error": {"message": "Overloaded", "code": 503}}),
    )
    with recording(tmp_path, *answers) as (server, _):
        recorded = outcomes(server.url)
    limited, broken, cut, failed, garbled, told = recorded
    assert (limited[0], limited[2], broken[0], failed[0]) == (429, "7", 502, "failed")
    assert cut[0]["choices"][0]["delta"] == {"content": "Hal"}
    assert "was cut" in cut[1]["error"]["message"]
    assert failed[2] == ["Half a"]
    assert (garbled[0], garbled[2], told[0], told[2]) == ("failed", ["Hal"], "failed", ["Ha"])
    assert "broken chunk" in garbled[1]["message"]
    assert "Overloaded" in told[1]["message"]
    with serve(tmp_path) as server:
        assert outcomes(server.url) == recorded


def test_R12_results_of_tools_replay_without_the_tools(tmp_path: Path) -> None:
    """Calls pass the seam that the hosted tools use: MCP list and call, search, code."""
    calls: list[tuple[str, str, JSONObject]] = [
        ("mcp:deepwiki", "tools/list", {}),
        ("mcp:deepwiki", "ask", {"question": "Why?", "repo": "a/b"}),
        ("web_search", "search", {"query": "antiphon"}),
        ("code_interpreter", "run", {"code": "1 + 1"}),
    ]

    class Tools:
        async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
            return {"from": provider, "name": name, "content": [{"type": "text", "text": str(arguments)}]}

    async def run() -> None:
        made = noting()
        recorder = ToolRecorder(Tools(), CallWriter(Collection(tmp_path), made, overwrite=True))
        results = [await recorder.call(*each) for each in calls]
        replayed = noting()
        player = ToolPlayer(RecordingLookup(Collection(tmp_path)), replayed)
        # The calls are in another order, and so are their arguments.
        again = [
            await player.call(provider, name, reverse_keys(given)) for provider, name, given in calls[::-1]
        ]
        assert again == results[::-1]
        assert recordings_of(replayed) == recordings_of(made)[::-1]

    asyncio.run(run())


@pytest.mark.parametrize("decision", ["approved", "denied"])
def test_R13_approvals_across_turns_replay(decision: str, tmp_path: Path) -> None:
    """A person approves a call or not, as clients implement it with functions."""

    def decide(server: LocalServer, decided: str) -> str:
        first = ask(server.url, "Delete the file", tools=[WEATHER]).last
        (item,) = first["output"]
        assert (item["type"], item["arguments"]) == ("function_call", '{"place": "Oslo"}')
        result = {"type": "function_call_output", "call_id": item["call_id"], "output": decided}
        second = ask(
            server.url, input=[result], previous_response_id=first["id"], tools=[WEATHER], stream=False
        )
        return said(second)

    asks = calling("weather", {"place": "Oslo"})
    with recording(tmp_path, asks, words("Done."), asks, words("I let it be.")) as (server, _):
        recorded = {each: decide(server, each) for each in ("approved", "denied")}
    assert recorded == {"approved": "Done.", "denied": "I let it be."}
    with serve(tmp_path) as server:
        assert decide(server, decision) == recorded[decision]


def test_R14_ids_that_a_run_makes_up_do_not_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def found(server: LocalServer, call_id: str, file_id: str) -> Reply:
        """Request as a client that keeps the history itself, with new ids in each run."""
        function_call = {"type": "function_call", "call_id": call_id, "name": "find", "arguments": "{}"}
        output = f"[1] document_id: {file_id}, score: 0.{len(call_id)}7 The sea is deep."
        result = {"type": "function_call_output", "call_id": call_id, "output": output}
        question = {"role": "user", "content": "How deep is the sea?"}
        return ask(server.url, input=[question, function_call, result], stream=False)

    one, other = "7c9e6679-7425-40de-944b-e07fc1f90ae7", "16fd2706-8baf-433b-82eb-8c7fada847da"
    with recording(tmp_path, words("Deep.")) as (server, _):
        assert said(found(server, "call_1", one)) == "Deep."
    # The last line of the log is written when the server has stopped.
    with caplog.at_level(logging.INFO, "antiphon.access"), serve(tmp_path, repeat=True) as server:
        assert said(found(server, "call_2", one)) == "Deep."
        assert said(found(server, "call_other", other)) == "Deep."
    exact, folded = caplog.messages
    assert exact.endswith("hit canonical default.json#1")
    assert folded.endswith("hit canonical default.json#1 (normalized: score, document-id)")


GAPS = """{"antiphon_recordings": 1, "scope": "default", "calls": [{"call": 1,
 "request": {"model": "m", "messages": [{"role": "user", "content": "Hello"}]},
 "chunks": [{"set": {"/choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": null}]}},
            {"set": {"/choices/0/delta/content": "b"}}, {"set": {"/choices/0/finish_reason": "stop"}}],
 "gaps": "400 0 200"}]}"""


@pytest.mark.parametrize(("speed", "waits"), [(0, []), (1, [0.4, 0.2]), (4, [0.1, 0.05])])
def test_R20_gaps_are_omitted_or_kept(
    speed: float, waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("antiphon.recording.seam.player.sleep", wait)
    (tmp_path / "default.json").write_text(GAPS)
    with serve(tmp_path, replay_speed=speed) as server:
        answer = post(server.url, "/chat/completions", chat_body(stream=True))
    assert len(answer.payloads) == 3
    assert [seconds for seconds in waited if seconds] == pytest.approx(waits)
