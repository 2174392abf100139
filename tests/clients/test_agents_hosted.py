"""openai-agents with searches, files and MCP: recorded once, then replayed without any of these services."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from agents import (
    Agent,
    FileSearchTool,
    HostedMCPTool,
    MCPToolApprovalFunctionResult,
    MCPToolApprovalRequest,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    WebSearchTool,
)
from openai import AsyncOpenAI

from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.recording.case_world import MODEL
from tests.recording.hosted_world import ANSWER, BOIL, KINDS, RUN, SECRET, alone, with_tools

Ran = tuple[list[str], str]
QUIET = RunConfig(tracing_disabled=True)
"""Turn off traces, which would go to api.openai.com."""


def mcp(
    url: str, require_approval: JSON, **more: Callable[..., MCPToolApprovalFunctionResult]
) -> HostedMCPTool:
    return HostedMCPTool(
        tool_config={
            "type": "mcp",
            "server_label": "lab",
            "server_url": url,
            "require_approval": require_approval,
        },
        **more,
    )


async def with_all_tools(client: AsyncOpenAI, mcp_url: str, *, stream: bool) -> Ran:
    """Run an agent with all hosted tools over a newly uploaded file."""
    store = await client.vector_stores.create(name="notes")
    file = ("notes.txt", SECRET.encode())
    await client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=file)
    helper = Agent(
        name="Helper",
        model=OpenAIResponsesModel(MODEL, client),
        tools=[
            mcp(mcp_url, "never"),
            WebSearchTool(),
            FileSearchTool(vector_store_ids=[store.id], max_num_results=3, include_search_results=True),
        ],
    )
    if stream:
        run = Runner.run_streamed(helper, "What is the code word?", run_config=QUIET)
        async for _ in run.stream_events():
            pass
        items, said = run.new_items, run.final_output
    else:
        done = await Runner.run(helper, "What is the code word?", run_config=QUIET)
        items, said = done.new_items, done.final_output
    return [str(getattr(item.raw_item, "type", "")) for item in items], said


async def with_approval(client: AsyncOpenAI, mcp_url: str) -> Ran:
    """Run an agent that needs an approval before it calls a tool, and approve the call."""
    asked: list[str] = []

    def approve(request: MCPToolApprovalRequest) -> MCPToolApprovalFunctionResult:
        asked.append(request.data.name)
        return {"approve": True}

    tool = mcp(mcp_url, "always", on_approval_request=approve)
    helper = Agent(name="Helper", model=OpenAIResponsesModel(MODEL, client), tools=[tool])
    done = await Runner.run(helper, "Boil it.", run_config=QUIET)
    return asked, done.final_output


def talk(url: str, work: Callable[[AsyncOpenAI], Coroutine[None, None, Ran]]) -> Ran:
    """Run `work` with a client of the server."""

    async def run() -> Ran:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_a_run_with_all_hosted_tools_replays_without_any_socket(stream: bool, tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    with with_tools(directory, *RUN) as (server, running):
        mcp_url = f"{running.url}/basic/mcp"
        recorded = talk(server.url, lambda client: with_all_tools(client, mcp_url, stream=stream))
    assert recorded == (KINDS, ANSWER)
    with alone(directory) as server:
        replayed = talk(server.url, lambda client: with_all_tools(client, mcp_url, stream=not stream))
    assert replayed == recorded


def test_an_agent_that_approves_calls_replays_too(tmp_path: Path) -> None:
    directory = tmp_path / "recordings"
    answers = calls(("call_1", "get_boiling_point", BOIL)), says("It is -100.")
    with with_tools(directory, *answers) as (server, running):
        mcp_url = f"{running.url}/basic/mcp"
        recorded = talk(server.url, lambda client: with_approval(client, mcp_url))
        assert running.asked().count("tools/call") == 1
    assert recorded == (["get_boiling_point"], "It is -100.")
    with alone(directory) as server:
        assert talk(server.url, lambda client: with_approval(client, mcp_url)) == recorded
