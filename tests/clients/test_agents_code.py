"""openai-agents with the code interpreter and the real sandbox."""

import asyncio

import pytest
from agents import Agent, CodeInterpreterTool, OpenAIResponsesModel, RunConfig, Runner
from openai import AsyncOpenAI
from openai.types.responses import ResponseCodeInterpreterToolCall

from tests.clients.replies import calls, says
from tests.support.sandbox import REAL, compile_sandbox
from tests.support.serving import Serving
from tests.support.upstream import Upstream

pytestmark = REAL

QUIET = RunConfig(tracing_disabled=True)
"""Turn off traces, which would go to api.openai.com."""
CODE = "open('a.csv', 'w').write('1,2')\nprint('hi')\n6 * 7"


def ran(server: Serving, *, stream: bool) -> tuple[list[object], str]:
    """Run an agent with the code interpreter, and return its items and its answer."""

    async def run() -> tuple[list[object], str]:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            tool = CodeInterpreterTool(
                tool_config={"type": "code_interpreter", "container": {"type": "auto"}}
            )
            agent = Agent(name="Helper", model=OpenAIResponsesModel("up/m", client), tools=[tool])
            if not stream:
                whole = await Runner.run(agent, "Go on.", run_config=QUIET)
                return [item.raw_item for item in whole.new_items], whole.final_output_as(str)
            streamed = Runner.run_streamed(agent, "Go on.", run_config=QUIET)
            async for _ in streamed.stream_events():
                pass
            return [item.raw_item for item in streamed.new_items], streamed.final_output_as(str)

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_code_interpreter_tool(server: Serving, upstream: Upstream, stream: bool) -> None:
    compile_sandbox()
    upstream.script(calls(("call_1", "code_interpreter", {"code": CODE})), says("It is 42."))
    items, answer = ran(server, stream=stream)
    assert answer == "It is 42."
    call = items[0]
    assert isinstance(call, ResponseCodeInterpreterToolCall)
    assert (call.status, call.code) == ("completed", CODE)
    assert call.container_id.startswith("cntr_")
    told = upstream.chats[-1].json["messages"][-1]
    assert told["role"] == "tool"
    assert told["content"].startswith("hi\n\n42\n[The code wrote /mnt/data/a.csv.")
