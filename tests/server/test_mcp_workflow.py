"""llama-stack's MCP scenarios through the API: real servers with recorded models, then replay alone."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from antiphon.engine.ports import ModelCatalogue
from antiphon.wire.json import JSONObject
from tests.mcp_servers.running import Servers, servers
from tests.mcp_servers.tools import WORKFLOW
from tests.recording.asking import Backend, catalogue, in_scope, with_client
from tests.recording.samples import recordings
from tests.support.serving import Serving

pytestmark = pytest.mark.shared


_SUITE = "tests/integration/responses/test_tool_responses.py::"
_TOOLS = {function.__name__: "workflow" for function in WORKFLOW} | {"get_boiling_point": "basic"}
_SUFFIX = ("_multi_turn_tool_execution", "_mcp_tool")


def chats() -> list[JSONObject]:
    """Return the recorded calls of the scenarios."""
    files = [*recordings("llama-stack").glob("*.json"), *recordings("seeds").glob("*.json")]
    found = []
    for file in sorted(files):
        recorded = json.loads(file.read_text("utf-8"))
        test = recorded.get("test_id") or ""
        if test.startswith(_SUITE) and any(f"{suffix}[" in test for suffix in _SUFFIX):
            found.append(recorded | {"file": file})
    return found


def functions_in(recorded: JSONObject) -> dict[str, JSONObject]:
    return {tool["function"]["name"]: tool["function"] for tool in recorded["request"]["body"]["tools"]}


def descriptions() -> dict[str, str]:
    """Return the recorded descriptions of the tools, by name."""
    return {
        name: function.get("description", "")
        for recorded in chats()
        for name, function in functions_in(recorded).items()
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("mcp"), descriptions()) as started:
        yield started


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Copy the recordings of the scenarios, and return their folder, which gets further recordings."""
    target = tmp_path / "recordings"
    target.mkdir()
    for recorded in chats():
        shutil.copy(recorded["file"], target)
    return target


def requests(url: str) -> dict[str, JSONObject]:
    """Return the request that begins each scenario, by the scenario's name."""
    bodies: dict[str, JSONObject] = {}
    for recorded in chats():
        body, test = recorded["request"]["body"], recorded["test_id"]
        if len(body["messages"]) > 1:
            continue
        server = next(_TOOLS[name] for name in functions_in(recorded) if name in _TOOLS)
        tool = {"type": "mcp", "server_label": server, "server_url": f"{url}/{server}/sse"}
        bodies[test] = {
            "model": "openai/gpt-4o",
            "input": body["messages"][0]["content"],
            "stream": "non_streaming" not in test,
            "tools": [tool | {"require_approval": "never"}],
        }
    return bodies


def ended(answer: httpx2.Response) -> JSONObject:
    """Return the final response, streamed or not."""
    assert answer.status_code == 200, answer.text
    if not answer.headers["content-type"].startswith("text/event-stream"):
        whole: JSONObject = answer.json()
        return whole
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    last: JSONObject = json.loads(lines[-1])["response"]
    return last


def check(test: str, response: JSONObject) -> None:
    """Assert that the scenario ran from its first model call to its last answer."""
    assert response["status"] == "completed", (test, response["error"])
    kinds = [item["type"] for item in response["output"]]
    assert kinds[0] == "mcp_list_tools"
    assert kinds[-1] == "message"
    calls = [item for item in response["output"] if item["type"] == "mcp_call"]
    assert calls, test
    assert [call["error"] for call in calls] == [None] * len(calls)
    if "user_permissions_workflow" in test:
        assert [call["name"] for call in calls] == [
            "get_user_id",
            "get_user_permissions",
            "check_file_access",
        ]
        assert [call["output"] for call in calls] == ["user_11111", "admin", "no"]
        assert "no" in response["output"][-1]["content"][0]["text"].lower()


def test_recorded_scenarios_run_with_real_servers_and_then_without_any_socket(
    running: Servers, directory: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bodies = requests(running.url)
    assert any("user_permissions_workflow" in test for test in bodies)
    assert {body["stream"] for body in bodies.values()} == {True, False}

    async def opened() -> ModelCatalogue:
        return catalogue(directory, "record-missing", Backend())

    live: dict[str, JSONObject] = {}
    with Serving(tmp_path / "state.db", opened, allow_hosts=["127.0.0.1"]) as server:
        for test, body in bodies.items():
            answer = httpx2.post(
                f"{server.url}/responses", json=body, headers=in_scope(test), timeout=60, trust_env=False
            )
            live[test] = ended(answer)
            check(test, live[test])
    assert "tools/call" in running.asked()
    # S15: other servers don't receive the client's credentials.
    assert all("the-callers" not in str(entry["headers"]) for entry in running.log())

    async def replayed(client: httpx2.AsyncClient) -> None:
        for test, body in bodies.items():
            # Each streamed request is now a non-streaming one, and the other way round.
            flipped = body | {"stream": not body["stream"]}
            again = ended(await client.post("/responses", json=flipped, headers=in_scope(test)))
            check(test, again)
            assert [item.get("output") for item in again["output"]] == [
                item.get("output") for item in live[test]["output"]
            ]

    request.getfixturevalue("no_sockets")
    with_client(catalogue(directory), replayed)
