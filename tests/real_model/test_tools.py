"""Tool calls of a real model, with the chat template of these tests."""

import asyncio
import json
from pathlib import Path

import pytest
from agents import Agent, ModelSettings, OpenAIResponsesModel, RunConfig, Runner, function_tool
from agents.items import ToolCallOutputItem
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseFunctionToolCall

from antiphon.wire.json import JSON, JSONObject
from tests.mcp_servers.running import servers
from tests.real_model import asking
from tests.real_model.asking import MODEL
from tests.support.serving import Serving


def tool(name: str, what: str) -> JSONObject:
    """Return a function tool with the city as its parameter."""
    city = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
    }
    return {"type": "function", "name": name, "description": f"Get the {what} in a city.", "parameters": city}


WEATHER, TIME = tool("get_weather", "weather"), tool("get_time", "time")
QUESTION = "What is the weather in Paris?"


def ask(client: OpenAI, prompt: JSON, *, stream: bool = False, **rest: JSON) -> Response:
    """Return a response with enough tokens for a call.

    At another temperature, the model may write text before the call until no tokens are left.
    """
    return asking.ask(client, prompt, tokens=100, stream=stream, temperature=0, **rest)


def only_call(response: Response) -> tuple[str, JSON]:
    """Return the name and the arguments of a response's only item, a function call."""
    [call] = response.output
    assert isinstance(call, ResponseFunctionToolCall)
    assert (response.status, call.status, bool(call.call_id)) == ("completed", "completed", True)
    return call.name, json.loads(call.arguments)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "function", "name": "get_time"}, "get_time"),
        ({"type": "function", "name": "get_weather"}, "get_weather"),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "get_time"}],
            },
            "get_time",
        ),
    ],
    ids=["time", "weather", "allowed"],
)
def test_the_chosen_function_is_called(client: OpenAI, choice: JSONObject, name: str, stream: bool) -> None:
    response = ask(client, QUESTION, stream=stream, tools=[WEATHER, TIME], tool_choice=choice)
    called, arguments = only_call(response)
    assert called == name
    assert isinstance(arguments["city"], str)


@pytest.mark.parametrize("stream", [False, True])
def test_a_required_call_is_one_of_the_functions(client: OpenAI, stream: bool) -> None:
    response = ask(client, QUESTION, stream=stream, tools=[WEATHER, TIME], tool_choice="required")
    called, arguments = only_call(response)
    assert called in ("get_weather", "get_time")
    assert arguments.keys() == {"city"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_and_its_result_lead_to_an_answer(client: OpenAI, stream: bool) -> None:
    first = ask(client, QUESTION, stream=stream, tools=[WEATHER], tool_choice="required")
    [call] = first.output
    assert isinstance(call, ResponseFunctionToolCall)
    output = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": "It is 21 degrees and sunny.",
    }
    second = ask(
        client, [output], stream=stream, tools=[WEATHER], tool_choice="none", previous_response_id=first.id
    )
    assert [item.type for item in second.output] == ["message"]
    assert second.output_text.strip()


def test_the_model_calls_a_function_of_its_own_accord(client: OpenAI) -> None:
    response = ask(client, QUESTION, tools=[WEATHER])
    assert only_call(response)[0] == "get_weather"


def test_a_custom_tool_receives_text(client: OpenAI) -> None:
    note = {"type": "custom", "name": "take_note", "description": "Write down a short note."}
    choice = {"type": "custom", "name": "take_note"}
    response = ask(client, "Note: buy milk.", tools=[WEATHER, note], tool_choice=choice)
    [call] = response.output
    assert (call.type, response.status) in (
        ("custom_tool_call", "completed"),
        ("custom_tool_call", "incomplete"),
    )
    assert isinstance(call.to_dict()["input"], str)


@pytest.mark.parametrize("stream", [False, True])
def test_an_agent_of_openai_agents_runs_its_tool(server: Serving, stream: bool) -> None:
    @function_tool
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return f"It is 21 degrees and sunny in {city}."

    async def run() -> list[str]:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=600) as client:
            agent = Agent(
                name="Helper",
                model=OpenAIResponsesModel(MODEL, client),
                tools=[get_weather],
                model_settings=ModelSettings(tool_choice="required", max_tokens=100, temperature=0),
            )
            quiet = RunConfig(tracing_disabled=True)
            if not stream:
                done = await Runner.run(agent, QUESTION, run_config=quiet)
                return [str(item.output) for item in done.new_items if isinstance(item, ToolCallOutputItem)]
            streamed = Runner.run_streamed(agent, QUESTION, run_config=quiet)
            async for _ in streamed.stream_events():
                pass
            return [str(item.output) for item in streamed.new_items if isinstance(item, ToolCallOutputItem)]

    outputs = asyncio.run(run())
    assert outputs
    assert all(output.startswith("It is 21 degrees and sunny in ") for output in outputs)


def test_a_tool_of_an_mcp_server_is_called(client: OpenAI, tmp_path: Path) -> None:
    with servers(tmp_path) as running:
        lab = {
            "type": "mcp",
            "server_label": "lab",
            "server_url": f"{running.url}/basic/mcp",
            "require_approval": "never",
            "allowed_tools": ["get_boiling_point"],
        }
        choice = {"type": "mcp", "server_label": "lab", "name": "get_boiling_point"}
        response = ask(client, "When does water boil?", tools=[lab], tool_choice=choice, max_tool_calls=1)
        assert running.asked().count("tools/call") == 1
    kinds = [item.type for item in response.output]
    assert kinds[:2] == ["mcp_list_tools", "mcp_call"]
    assert response.error is None
