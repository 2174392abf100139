"""Agents against this server: the scenarios of the seed recordings, and llama-stack's own agent tests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.agent import (
    ApprovalRequest,
    StepProgress,
    StepStarted,
    ToolCallIssuedDelta,
    TurnCompleted,
    TurnStarted,
)
from antiphon.agent.functions.tools import Tool
from antiphon.testing import InProcessServer, in_process
from tests.agent.running import KINDS, Kind, Runner
from tests.agent.wellformed import check, executions, inferences, shape, text_of
from tests.clients.replies import calls, says
from tests.dialects.asking import EXPERTS, SUITE, scenario
from tests.dialects.asking import PERMISSIONS as WORKFLOW
from tests.mcp_servers.running import servers
from tests.server.test_mcp_workflow import descriptions
from tests.server.test_seeds import PERMISSIONS, SEARCH, seed
from tests.support.serving import backend
from tests.support.upstream import Upstream

SEARCH_TEST = f"{SUITE}non_streaming_web_search{EXPERTS}"
PERMISSIONS_TEST = f"{SUITE}streaming_multi_turn_tool_execution{WORKFLOW}"


def runner(kind: Kind, server: InProcessServer, model: str, scope: str | None = None) -> Runner:
    """Return an agent over a server."""
    return Runner(kind, lambda: server.client(scope), lambda: server.async_client(scope), model)


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessServer]:
    """Replay the recordings of the first seed's scenario, any number of times."""
    directory = tmp_path_factory.mktemp("search") / "recordings"
    scenario(directory, "_web_search[client_with_models")
    with in_process(directory, repeat=True) as server:
        yield server


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("session", [None, "experts"])
def test_the_first_seed_searches_the_web_and_answers(
    searching: InProcessServer, kind: Kind, session: str | None
) -> None:
    tools: list[Tool] = [{"type": "web_search"}]
    agent = runner(kind, searching, "openai/gpt-4o", SEARCH_TEST).with_settings(tools=tools)
    (events,) = agent.stream(asked(SEARCH), session=session)
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert last.final_text == text_of(events) == "The Llama 4 Maverick model has 128 experts."
    assert shape(events) == ["inference", "web_search_call", "inference"]
    (search,) = executions(events)
    assert search.tool_responses[0]["content"]["action"]["query"]
    assert str(agent.run(asked(SEARCH))) == last.final_text


def asked(name: str) -> str:
    """Return the user's message of a seed."""
    text: str = seed(name)["request"]["body"]["messages"][0]["content"]
    return text


def mcp(url: str, approval: str = "never") -> list[Tool]:
    place = {"server_label": "workflow", "server_url": f"{url}/workflow/sse"}
    return [{"type": "mcp", "require_approval": approval, **place}]


@pytest.fixture(scope="module")
def checking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InProcessServer, str]]:
    """Record the calls of real MCP servers beside the second seed's, stop the servers, and replay all."""
    folder = tmp_path_factory.mktemp("permissions")
    directory = scenario(folder / "recordings", "_multi_turn_tool_execution[client_with_models")
    with servers(folder, descriptions()) as running:
        with in_process(
            directory, "record-missing", backends=[], repeat=True, allow_hosts=["127.0.0.1"]
        ) as server:
            agent = runner("sync", server, "openai/gpt-4o", PERMISSIONS_TEST)
            check(agent.with_settings(tools=mcp(running.url)).stream(asked(PERMISSIONS))[0])
        assert running.asked().count("tools/call") >= 3
    with in_process(directory, repeat=True) as server:
        yield server, running.url


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("session", [None, "check"])
def test_the_second_seed_checks_permissions_in_three_mcp_calls(
    checking: tuple[InProcessServer, str], kind: Kind, session: str | None
) -> None:
    server, url = checking
    agent = runner(kind, server, "openai/gpt-4o", PERMISSIONS_TEST).with_settings(tools=mcp(url))
    (events,) = agent.stream(asked(PERMISSIONS), session=session)
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert "no" in last.final_text.lower()
    assert [name for name in shape(events) if name != "inference"] == [
        "mcp_list_tools",
        "get_user_id",
        "get_user_permissions",
        "check_file_access",
    ]
    _, *steps = executions(events)
    assert [step.tool_responses[0]["content"]["output"] for step in steps] == ["user_11111", "admin", "no"]
    assert json.loads(steps[0].tool_calls[0].arguments) == {"username": "charlie"}
    assert str(agent.run(asked(PERMISSIONS))) == last.final_text


@pytest.mark.shared
@pytest.mark.parametrize("kind", KINDS)
def test_the_second_seed_runs_with_an_approval_of_each_call(
    checking: tuple[InProcessServer, str], kind: Kind
) -> None:
    server, url = checking
    approved: list[str] = []

    def approve(request: ApprovalRequest) -> bool:
        approved.append(request.tool_name)
        return True

    agent = runner(kind, server, "openai/gpt-4o", PERMISSIONS_TEST)
    (events,) = agent.with_settings(tools=mcp(url, "always"), approve=approve).stream(asked(PERMISSIONS))
    assert isinstance(check(events), TurnCompleted)
    assert approved == ["get_user_id", "get_user_permissions", "check_file_access"]
    assert [step.tool_responses[0]["content"]["output"] for step in executions(events)[1:]] == [
        *("user_11111", "admin", "no")
    ]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record the model calls of llama-stack's agent tests, and return their folder."""
    directory = tmp_path_factory.mktemp("agent") / "recordings"
    with Upstream() as upstream:
        upstream.script(
            says("Hel", "lo."),
            calls(("call_1", "file_search", {"query": "code name"})),
            says("It is BLUE_FALCON."),
            calls(("call_2", "get_token_policy", {"token": "access"})),
            says("The token is encrypted, and expires after 24 hours."),
        )
        with in_process(directory, "record", scope="agent", backends=[backend(upstream)]) as server:
            agent = runner("sync", server, "up/m")
            run_basic(agent)
            run_file_search(agent, server)
            run_function(agent)
    return directory


@pytest.fixture
def replaying(recorded: Path) -> Iterator[InProcessServer]:
    with in_process(recorded, scope="agent") as server:
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_llama_stacks_agent_tests_pass_from_recordings(replaying: InProcessServer, kind: Kind) -> None:
    agent = runner(kind, replaying, "up/m")
    run_basic(agent)
    run_file_search(agent, replaying)
    run_function(agent)


def run_basic(agent: Runner) -> None:
    """Assert what llama-stack's test of a basic turn does."""
    (events,) = agent.with_settings(instructions="Be brief.").stream("Say hello", session="basic")
    last = check(events)
    assert isinstance(events[0], TurnStarted)
    assert events[0].session_id
    assert isinstance(events[1], StepStarted)
    assert (events[1].step_type, events[1].metadata) == ("inference", None)
    assert text_of(events) == "Hello."
    assert not executions(events)
    assert (inferences(events)[-1].function_calls, inferences(events)[-1].stop_reason) == ([], "end_of_turn")
    assert isinstance(last, TurnCompleted)
    assert last.final_text


def run_file_search(agent: Runner, server: InProcessServer) -> None:
    """Assert what llama-stack's test of a tool of the server does."""
    with server.client() as client:
        store = client.vector_stores.create(name="notes")
        file = client.files.create(file=("notes.txt", b"The code name is BLUE_FALCON."), purpose="assistants")
        attached = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id)
        assert attached.status == "completed"
    tools: list[Tool] = [{"type": "file_search", "vector_store_ids": [store.id]}]
    (events,) = agent.with_settings(tools=tools).stream("What is the code name?", session="files")
    last = check(events)
    started = [event for event in events if isinstance(event, StepStarted) and event.metadata]
    assert [each.metadata for each in started] == [
        {"server_side": True, "tool_type": "file_search", "tool_name": "file_search_call"}
    ]
    assert len(inferences(events)) == 2
    assert isinstance(last, TurnCompleted)
    assert "BLUE_FALCON" in last.final_text


def get_token_policy(token: str) -> str:
    """Return the policy of a kind of token.

    :param token: Kind of token.
    """
    return f"The {token} token is encrypted, and expires after 24 hours."


def run_function(agent: Runner) -> None:
    """Assert what llama-stack's test of a client's function does."""
    (events,) = agent.with_settings(tools=[get_token_policy]).stream("When does it expire?", session="tokens")
    last = check(events)
    deltas = [event.delta for event in events if isinstance(event, StepProgress)]
    issued = [delta for delta in deltas if isinstance(delta, ToolCallIssuedDelta)]
    assert [(each.tool_type, each.tool_name) for each in issued] == [("function", "get_token_policy")]
    started = [event for event in events if isinstance(event, StepStarted) and event.metadata]
    assert [each.metadata["server_side"] for each in started if each.metadata] == [False]
    assert isinstance(last, TurnCompleted)
    assert "encrypted" in last.final_text
    assert "24" in last.final_text
