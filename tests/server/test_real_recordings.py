"""Every real recording through the API: with its own request, an equivalent one, and another one.

The server listens on a socket, and the only connections are those to it.
"""

import asyncio
import copy
import json
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import read_calls
from antiphon.testing import serve
from antiphon.wire.json import JSON, JSONObject
from tests.recording.rewrites import REWRITES, Rewrite
from tests.recording.samples import recordings
from tests.server.client import Reply

pytestmark = pytest.mark.shared


SEVERAL_REWRITES = st.lists(st.sampled_from(REWRITES), min_size=2, max_size=6, unique=True)


def chats() -> list[RecordedCall]:
    return [call for call in read_calls(recordings("llama-stack"), []) if call.kind == "chat"]


class Client:
    """Client with one connection for thousands of requests."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._path = parts.path
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=30)

    def ask(self, body: JSONObject, scope: str) -> Reply:
        headers = {"Content-Type": "application/json", "X-Antiphon-Scope": scope}
        self._connection.request("POST", f"{self._path}/chat/completions", json.dumps(body).encode(), headers)
        response = self._connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, response.read())

    def close(self) -> None:
        self._connection.close()


@contextmanager
def replaying(**settings: JSON) -> Iterator[Client]:
    """Yield a client of a replaying server; at the end, no other connection may have been opened."""
    connect, opened = socket.socket.connect, []

    def watched(self: socket.socket, address: tuple[str, int]) -> None:
        opened.append(address)
        connect(self, address)

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("replay looks up a host, or connects to one")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", watched)
        patch.setattr(socket.socket, "connect_ex", refused)
        patch.setattr(socket.socket, "sendto", refused)
        patch.setattr(asyncio.BaseEventLoop, "getaddrinfo", refused)
        with (
            serve(recordings("llama-stack"), discover=True, **settings) as server,
            closing(Client(server.url)) as client,
        ):
            yield client
            own = urlsplit(server.url)
    assert opened
    assert set(opened) == {(own.hostname, own.port)}


def answer_of(call: RecordedCall) -> JSON:
    """Return the API's answer for a recording, in the form in which it was recorded."""
    if call.error is not None:
        return call.error.status_code
    values = [json.loads(payload) for payload in call.payloads()]
    return values if call.streamed else values[0]


def given_by(reply: Reply, call: RecordedCall) -> JSON:
    if reply.status != 200:
        assert reply.error["code"] != "recording_not_found", reply.body
        return reply.status
    return reply.payloads if call.streamed else reply.json


def test_every_real_recording_answers_the_body_it_holds(tmp_path: Path) -> None:
    asked, log = chats(), tmp_path / "hits.jsonl"
    with replaying(hit_log=str(log)) as client:
        for call in asked:
            reply = client.ask(call.request, call.scope)
            if not call.stale:
                assert given_by(reply, call) == answer_of(call), call.name
    hits = [json.loads(line) for line in log.read_text().splitlines()]
    for call, hit in zip(asked, hits, strict=True):
        assert call.stale or (hit["how"], hit["file"]) == ("exact", call.file), hit


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(st.lists(SEVERAL_REWRITES, min_size=20, max_size=20))
def test_every_real_recording_answers_other_words_for_the_same(drawn: list[list[Rewrite]]) -> None:
    asked = chats()
    answers: defaultdict[str, list[JSON]] = defaultdict(list)
    for call in asked:
        answers[call.key].append(answer_of(call))
    with replaying() as client:
        for call, rewrites in zip(asked, cycle(drawn), strict=False):
            body = call.request
            for rewrite in rewrites:
                body = rewrite(body)
            reply = client.ask({**body, "stream": call.streamed}, call.scope)
            given = given_by(reply, call)
            # The server prefers the recording that llama-stack would find to a stale one.
            assert call.stale or given in answers[call.key], (call.name, rewrites)


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


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@given(st.permutations(EDITS))
def test_no_real_recording_answers_a_request_that_means_something_else(
    edits: list[Callable[[JSONObject], None]],
) -> None:
    with replaying() as client:
        for number, call in enumerate(chats()):
            body = copy.deepcopy(call.request)
            edits[number % len(edits)](body)
            reply = client.ask(body, call.scope)
            assert reply.status == 502, (call.name, edits[number % len(edits)])
            assert reply.error["code"] == "recording_not_found"
