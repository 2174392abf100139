"""Text of a turn for a terminal."""

import asyncio

import pytest

from antiphon.agent import Agent, AgentEventLogger, AsyncAgent
from antiphon.wire.json import JSONObject
from tests.agent.scripted import Script, called, calls, created, delta, ended, message, numbered, says


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It is cold in {city}." + "." * 100


def logged(script: Script) -> str:
    with script.client() as client:
        agent = Agent(client, model="m", tools=[get_weather])
        return "".join(AgentEventLogger().log(agent.stream("Hi")))


def test_a_turn_with_a_function_shows_its_call_and_its_output() -> None:
    script = Script([calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2)])
    assert logged(script) == (
        '🤔 \n📞 Calling get_weather({"city": "Oslo"})'
        "\n🔧 Executing tools...\n"
        f"  → get_weather: It is cold in Oslo.{'.' * 81}...\n"
        "🤔 Cold.\n"
    )


@pytest.mark.parametrize(("status", "mark"), [("completed", "✅"), ("failed", "❌")])
def test_a_hosted_tool_shows_its_name_and_its_end(status: str, mark: str) -> None:
    search: JSONObject = {"type": "web_search_call", "id": "ws_1", "status": status}
    stream = [
        created(),
        {"type": "response.output_item.added", "output_index": 0, "item": search},
        {"type": "response.output_item.done", "output_index": 0, "item": search},
        delta("Cold."),
        ended(search, message("Cold.")),
    ]
    end = f"{mark} web_search_call {status}"
    assert logged(Script([numbered(*stream)])) == f"🤔 \n🔍 Using web_search_call\n{end}\n🤔 Cold.\n"


def test_a_failure_shows_its_reason() -> None:
    failed = ended(status="failed", error={"message": "Out of memory.", "code": "server_error"})
    assert logged(Script([numbered(created(), failed)])) == "🤔 \n❌ Turn failed: Out of memory.\n"


def test_control_characters_of_the_model_are_visible() -> None:
    assert logged(Script([says("a\x1b]0;title\x07\n\tb\x9b\r")])) == "🤔 a\\x1b]0;title\\x07\n\tb\\x9b\\x0d\n"


def test_the_events_of_an_asynchronous_agent_have_the_same_text() -> None:
    script = Script([says("Hello.")])

    async def read() -> str:
        async with script.async_client() as client:
            events = AsyncAgent(client, model="m").stream("Hi")
            return "".join([text async for text in AgentEventLogger().log_async(events)])

    assert asyncio.run(read()) == "🤔 Hello.\n"
