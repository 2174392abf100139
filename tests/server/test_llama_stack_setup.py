"""One server in place of llama-stack's test set-up: recorded models and searches, real MCP servers."""

import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pytest
from openai import InternalServerError, OpenAI, Stream
from openai.types.responses import Response, ResponseStreamEvent

from antiphon.testing import LocalServer, serve
from antiphon.wire.json import JSON, JSONObject
from tests.mcp_servers.running import Servers, servers
from tests.recording.samples import calls_in, recordings
from tests.server.test_mcp_workflow import check, descriptions, requests
from tests.server.test_seeds import PERMISSIONS, SEARCH, seed

pytestmark = pytest.mark.shared


HEADERS = ("X-LlamaStack-Provider-Data", "X-OGX-Provider-Data")
"""Headers of llama-stack's test clients, of 2025 and of 2026."""
_WEB = "tests/integration/responses/test_tool_responses.py::test_response_{}streaming_web_search[{}-txt={}]"


@dataclass(frozen=True)
class SetUp:
    """The server, the MCP servers, and the log of the recordings that answered."""

    server: LocalServer
    running: Servers
    log: Path

    def hits(self) -> list[JSONObject]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def copy_recordings(target: Path) -> None:
    """Copy all recordings, except those for which a seed answers the same request of the same test."""
    target.mkdir()
    seeds = calls_in(recordings("seeds"))
    answered = {(call.scope, call.key) for call in seeds}
    for call in seeds:
        shutil.copy(recordings("seeds") / call.file, target)
    for call in calls_in(recordings("llama-stack")):
        if (call.scope, call.key) not in answered:
            shutil.copy(recordings("llama-stack") / call.file, target)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUp]:
    """Run `antiphon serve --replay DIR --replay-tools live`; it may connect to MCP servers alone."""
    folder = tmp_path_factory.mktemp("setup")
    copy_recordings(folder / "recordings")
    connect, reached = socket.socket.connect, set()

    def watched(self: socket.socket, address: tuple[str, int]) -> None:
        reached.add(address[:2])
        connect(self, address)

    log = folder / "hits.jsonl"
    log.touch()
    with servers(folder, descriptions()) as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", watched)
        settings: dict[str, JSON] = {"allow_hosts": ["127.0.0.1"], "discover": False, "hit_log": str(log)}
        with serve(folder / "recordings", replay_tools="live", **settings) as server:
            yield SetUp(server, running, log)
            allowed = {("127.0.0.1", urlsplit(url).port) for url in (server.url, running.url)}
    assert reached == allowed


def run(
    server: LocalServer, body: JSONObject, test: str, header: str = HEADERS[0]
) -> tuple[list[ResponseStreamEvent], Response]:
    """Return the events of a response, none if it isn't streamed, and the response."""
    headers = {header: json.dumps({"__test_id": test})}
    # Without a scope in the path, which would come before the header.
    url = server.url.partition("/scope/")[0] + "/v1"
    with OpenAI(base_url=url, api_key="none", default_headers=headers, max_retries=0, timeout=30) as client:
        if not body["stream"]:
            return [], client.responses.create(**body)
        events = list(cast(Stream[ResponseStreamEvent], client.responses.create(**body)))
        last = events[-1]
        assert last.type == "response.completed", last
        return events, last.response


@pytest.mark.parametrize("header", HEADERS)
def test_all_mcp_scenarios_run_with_their_real_servers(stack: SetUp, header: str) -> None:
    bodies = requests(stack.running.url)
    assert len(bodies) == 20
    assert {body["stream"] for body in bodies.values()} == {True, False}
    before = len(stack.running.log())
    for test, body in bodies.items():
        _, response = run(stack.server, body, test, header)
        check(test, response.to_dict())
    asked = stack.running.asked(before)
    assert asked.count("tools/list") == len(bodies)
    assert asked.count("tools/call") >= len(bodies)
    assert sum(outcome.misses for outcome in stack.server.take()) == 0


@pytest.mark.parametrize("stream", [False, True])
def test_the_permission_check_of_the_second_seed_makes_its_three_calls(stack: SetUp, stream: bool) -> None:
    test = seed(PERMISSIONS)["test_id"]
    before, already = len(stack.running.log()), len(stack.hits())
    events, response = run(stack.server, requests(stack.running.url)[test] | {"stream": stream}, test)
    check(test, response.to_dict())
    assert stack.running.asked(before).count("tools/call") == 3
    assert [event.type for event in events].count("response.mcp_call.completed") == (3 if stream else 0)
    answered = [hit["file"] for hit in stack.hits()[already:]]
    assert (len(answered), answered[1]) == (4, PERMISSIONS)
    assert response.usage is not None


@pytest.mark.parametrize("stream", [False, True])
def test_the_search_of_the_first_seed_is_recorded_and_the_seed_answers(stack: SetUp, stream: bool) -> None:
    recorded, already = seed(SEARCH), len(stack.hits())
    body: JSONObject = {
        "model": "openai/gpt-4o",
        "input": recorded["request"]["body"]["messages"][0]["content"],
        "tools": [{"type": "web_search", "search_context_size": "low"}],
        "stream": stream,
    }
    _, response = run(stack.server, body, recorded["test_id"])
    assert response.output_text == "The Llama 4 Maverick model has 128 experts."
    answered = [hit["file"] for hit in stack.hits()[already:]]
    assert (len(answered), answered[2]) == (3, SEARCH)
    assert response.usage is not None


SEARCHES: dict[str, tuple[str, JSONObject, str]] = {
    "openai/gpt-4o-llama_experts": (
        "How many experts does the Llama 4 Maverick model have?",
        {"type": "web_search", "search_context_size": "low"},
        "128",
    ),
    "openai/gpt-4o-web_search_2025_08_26_type": (
        "What is the latest version of Python?",
        {"type": "web_search_2025_08_26"},
        "3.",
    ),
}
"""The question, the tool and a part of the answer, by the parameters of llama-stack's test."""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", ["openai_client", "client_with_models"])
@pytest.mark.parametrize("case", SEARCHES)
def test_searches_come_from_their_recordings(stack: SetUp, case: str, client: str, stream: bool) -> None:
    question, tool, answer = SEARCHES[case]
    test, already = _WEB.format("" if stream else "non_", client, case), len(stack.hits())
    body: JSONObject = {"model": "openai/gpt-4o", "input": question, "tools": [tool], "stream": stream}
    events, response = run(stack.server, body, test)
    assert [item.type for item in response.output] == ["web_search_call", "message"]
    assert answer in response.output_text
    assert ("response.web_search_call.completed" in [event.type for event in events]) == stream
    assert len(stack.hits()[already:]) == 3
    assert response.usage is not None


def test_an_unrecorded_model_call_is_still_a_miss(stack: SetUp) -> None:
    body = {"model": "openai/gpt-4o", "input": "A question that nobody has recorded?", "stream": False}
    with pytest.raises(InternalServerError) as caught:
        run(stack.server, body, "some test")
    assert caught.value.code == "recording_not_found"
