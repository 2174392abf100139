"""MCP servers over SSE: the permission check of the second seed, approvals, lists and tokens."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.engine.ports import ModelCatalogue
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.dialects.asking import (
    EVERY,
    OPENAI,
    PERMISSIONS,
    SUITE,
    THEIRS,
    THEIRS_2025,
    THEIRS_2026,
    asked,
    created,
    python,
    scenario,
    streamed,
    types,
)
from tests.mcp_servers.http import TOKEN
from tests.mcp_servers.running import Servers, servers
from tests.mcp_servers.tools import WORKFLOW
from tests.recording.asking import Backend, catalogue
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream

pytestmark = pytest.mark.shared


SCENARIO = "streaming_multi_turn_tool_execution" + PERMISSIONS
STEPS = ["get_user_id", "get_user_permissions", "check_file_access"]
LIST = ["output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed", "output_item.done"]


def call_events(arguments: str) -> list[str]:
    """Return the types of the events of a call; `arguments` is the noun in those with its arguments."""
    return [
        "output_item.added",
        "mcp_call.in_progress",
        f"{arguments}.delta",
        f"{arguments}.done",
        "mcp_call.completed",
        "output_item.done",
    ]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    return scenario(tmp_path / "recordings", SCENARIO)


def chats(directory: Path) -> list[JSONObject]:
    """Return the bodies of the recorded requests, the shortest conversation first."""
    read = [json.loads(file.read_text("utf-8")) for file in directory.glob("*.json")]
    return sorted((each["request"]["body"] for each in read), key=lambda body: len(body["messages"]))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    directory = tmp_path_factory.mktemp("mcp")
    functions = [tool["function"] for tool in chats(scenario(directory / "recordings", SCENARIO))[0]["tools"]]
    assert [function["name"] for function in functions] == [function.__name__ for function in WORKFLOW]
    descriptions = {function["name"]: function["description"] for function in functions}
    with servers(directory, descriptions) as started:
        yield started


@pytest.mark.parametrize("client", EVERY)
def test_the_check_of_the_second_seed_streams_its_three_steps(
    running: Servers, recorded: Path, tmp_path: Path, client: str
) -> None:
    async def opened() -> ModelCatalogue:
        return catalogue(recorded, "record-missing", Backend())

    tool = {"type": "mcp", "server_label": "localmcp", "server_url": f"{running.url}/workflow/sse"}
    if client == OPENAI:  # With the default, the first step would wait for an approval.
        tool["require_approval"] = "never"
    question = chats(recorded)[0]["messages"][0]["content"]
    before = len(running.log())
    with (
        Serving(tmp_path / "state.db", opened, allow_hosts=["127.0.0.1"]) as server,
        python(server.url, client, f"{SUITE}{SCENARIO}") as openai,
    ):
        body: JSONObject = {"model": "openai/gpt-4o", "input": question, "tools": [tool]}
        events: list[JSON] = [event.to_dict() for event in openai.responses.create(**body, stream=True)]
        stored = openai.responses.retrieve(events[-1]["response"]["id"]).to_dict()

    names = types(events)
    dotted = "mcp_call_arguments" if client == OPENAI else "mcp_call.arguments"
    assert names[:24] == ["created", "in_progress", *LIST, *(3 * call_events(dotted))]
    deltas = [name for name in names if name == "output_text.delta"]
    message = ["output_item.added", "content_part.added", *deltas, "output_text.done", "content_part.done"]
    assert names[24:] == [*message, "output_item.done", "completed"]
    arguments = [
        json.loads(event["arguments"]) for event in events if event["type"].endswith("arguments.done")
    ]
    assert arguments == [
        {"username": "charlie"},
        {"user_id": "user_11111"},
        {"user_id": "user_11111", "filename": "secret_file.txt"},
    ]
    ids = {event["response_id"] for event in events if "response_id" in event}
    assert ids == (set() if client == OPENAI else {events[-1]["response"]["id"]})

    listing, *made, answer = events[-1]["response"]["output"]
    assert {tool["name"] for tool in listing["tools"]} == {function.__name__ for function in WORKFLOW}
    assert [call["name"] for call in made] == STEPS
    assert [call["output"] for call in made] == ["user_11111", "admin", "no"]
    assert [call["error"] for call in made] == [None] * 3
    assert "no" in answer["content"][0]["text"].lower()
    assert stored == events[-1]["response"]
    rpcs = running.asked(before)
    assert (rpcs.count("tools/list"), rpcs.count("tools/call")) == (1, 3)


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def url(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    database = tmp_path_factory.mktemp("server") / "state.db"
    with Serving(database, backends(backend(shared_upstream)), allow_hosts=["127.0.0.1"]) as server:
        yield server.url


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """Return the backend of the server, without traces of earlier tests."""
    shared_upstream.forget()
    return shared_upstream


def request(running: Servers, path: str = "workflow", **tool: object) -> JSONObject:
    server = {"type": "mcp", "server_label": "localmcp", "server_url": f"{running.url}/{path}/sse"}
    return {"model": "up/m", "input": "Who is charlie?", "tools": [{**server, **tool}]}


def kinds(response: JSONObject) -> list[str]:
    return [item["type"] for item in response["output"]]


CALL = calls(("call_1", "get_user_id", {"username": "charlie"}))


@pytest.mark.parametrize("given", [{}, {"require_approval": None}])
@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("stream", [False, True])
def test_a_server_without_require_approval_needs_none_for_llama_stack(
    running: Servers, url: str, upstream: Upstream, client: str, stream: bool, given: JSONObject
) -> None:
    upstream.script(CALL, says("user_11111"))
    response = created(url, client, request(running, **given), stream=stream)
    approval = response["tools"][0]["require_approval"]
    if client == OPENAI:
        assert (kinds(response)[1:], approval) == (["mcp_approval_request"], "always")
    else:
        assert (kinds(response)[1:], approval) == (["mcp_call", "message"], "never")


@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("approve", [True, False])
@pytest.mark.parametrize("stream", [False, True])
def test_the_answer_to_an_approval_begins_with_the_list_for_llama_stack(
    running: Servers, url: str, upstream: Upstream, client: str, approve: bool, stream: bool
) -> None:
    upstream.script(CALL, says("user_11111"))
    body = request(running, require_approval="always")
    first = created(url, client, body)
    assert kinds(first) == ["mcp_list_tools", "mcp_approval_request"]
    before = len(running.log())

    answer = {"approve": approve, "approval_request_id": first["output"][1]["id"]}
    body["input"] = [{"type": "mcp_approval_response", **answer}]
    second = created(url, client, body | {"previous_response_id": first["id"]}, stream=stream)

    repeated = [] if client == OPENAI else ["mcp_list_tools"]
    assert kinds(second) == [*repeated, *(["mcp_call"] if approve else []), "message"]
    if repeated:
        assert second["output"][0]["tools"] == first["output"][0]["tools"]
        assert second["output"][0]["id"] != first["output"][0]["id"]
    # The server isn't called again for the lists in the context.
    assert running.asked(before).count("tools/list") == 0
    offered = [each["function"]["name"] for each in upstream.chats[-1].json["tools"]]
    assert offered == [function.__name__ for function in WORKFLOW]


def test_what_one_client_has_stored_the_other_continues(
    running: Servers, url: str, upstream: Upstream
) -> None:
    upstream.script(CALL, says("user_11111"), says("So be it."))
    body = request(running, require_approval="never")
    theirs = created(url, THEIRS[0], body)
    mine = created(url, OPENAI, body | {"previous_response_id": theirs["id"]})
    assert kinds(mine) == ["message"]
    assert asked(url, OPENAI, "GET", f"/responses/{theirs['id']}").json == theirs
    again = created(url, THEIRS[0], body | {"previous_response_id": mine["id"]})
    assert kinds(again) == ["mcp_list_tools", "message"]
    assert asked(url, OPENAI, "GET", f"/responses/{again['id']}").json == again


@pytest.mark.parametrize("client", EVERY)
def test_without_a_token_the_401_of_the_server_is_the_clients(
    running: Servers, url: str, client: str
) -> None:
    reply = asked(url, client, "POST", "/responses", request(running, "private/workflow"))
    assert reply.status == 401
    assert "401 (Unauthorized)" in reply.error["message"]


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
@pytest.mark.parametrize("client", THEIRS_2025)
def test_the_token_may_be_in_the_headers_in_2025(
    running: Servers, url: str, upstream: Upstream, client: str, name: str
) -> None:
    upstream.script(CALL, says("user_11111"))
    body = request(running, "private/workflow", headers={name: f"Bearer {TOKEN}"})
    response = created(url, client, body)
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "message"]
    assert response["output"][1]["output"] == "user_11111"
    assert response["tools"][0]["headers"] == {name: "<redacted>"}
    assert TOKEN not in asked(url, client, "GET", f"/responses/{response['id']}").body.decode()


@pytest.mark.parametrize("client", THEIRS_2025)
def test_two_tokens_are_one_too_many(running: Servers, url: str, client: str) -> None:
    given = {"headers": {"Authorization": "Bearer one"}, "authorization": "two"}
    reply = asked(url, client, "POST", "/responses", request(running, "private/workflow", **given))
    assert (reply.status, reply.error["param"]) == (400, "tools[0].headers.Authorization")


@pytest.mark.parametrize("client", [*THEIRS_2026, OPENAI])
def test_a_token_in_the_headers_is_refused_otherwise(running: Servers, url: str, client: str) -> None:
    body = request(running, "private/workflow", headers={"Authorization": f"Bearer {TOKEN}"})
    reply = asked(url, client, "POST", "/responses", body)
    assert (reply.status, reply.error["param"]) == (400, "tools[0].headers.Authorization")
    assert "'authorization' parameter" in reply.error["message"]


@pytest.mark.parametrize("client", EVERY)
def test_the_token_may_be_the_parameter(running: Servers, url: str, upstream: Upstream, client: str) -> None:
    upstream.script(CALL, says("user_11111"))
    body = request(running, "private/workflow", authorization=TOKEN, require_approval="never")
    assert kinds(created(url, client, body)) == ["mcp_list_tools", "mcp_call", "message"]


@pytest.mark.parametrize("client", EVERY)
def test_a_failed_call_has_its_events_too(
    running: Servers, url: str, upstream: Upstream, client: str
) -> None:
    upstream.script(calls(("call_1", "get_boiling_point", {"liquid_name": "water"})), says("Unknown."))
    events = streamed(url, client, request(running, "basic", require_approval="never"))
    dotted = "mcp_call_arguments" if client == OPENAI else "mcp_call.arguments"
    assert types(events)[6:12] == [
        "output_item.added",
        "mcp_call.in_progress",
        f"{dotted}.delta",
        f"{dotted}.done",
        "mcp_call.failed",
        "output_item.done",
    ]


@pytest.mark.parametrize("client", EVERY)
def test_a_list_in_the_context_counts_for_every_client(
    running: Servers, url: str, upstream: Upstream, client: str
) -> None:
    upstream.script(says("Hello."))
    body = request(running, require_approval="never")
    first = created(url, client, body)
    counting = {**body, "previous_response_id": first["id"]}
    without = asked(url, client, "POST", "/responses/input_tokens", body | {"tools": []}).json
    counted = asked(url, client, "POST", "/responses/input_tokens", counting).json
    assert counted["input_tokens"] > without["input_tokens"] + 100
