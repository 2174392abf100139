"""Agents over a real model; only forms are asserted, because texts vary."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import msgspec
from openai import AsyncOpenAI, OpenAI

from antiphon.agent import Agent, AgentEvent, AsyncAgent, StepProgress, TurnCompleted
from antiphon.wire.json import JSONObject
from tests.agent.wellformed import check, executions, shape, text_of
from tests.real_model.asking import MODEL
from tests.real_model.running import ModelServer, until
from tests.support.serving import Serving

# The small model never ends a text by itself.
LIMITS: JSONObject = {"max_output_tokens": 60, "temperature": 0}
SHORT = Annotated[str, msgspec.Meta(max_length=20)]


@dataclass
class Animal:
    name: SHORT
    legs: Annotated[int, msgspec.Meta(ge=0, le=9)]


def get_weather(city: SHORT) -> str:
    """Return the weather in a city.

    Args:
        city: Name of the city.
    """
    return f"It is cold in {city}."


def is_whole(events: list[AgentEvent]) -> bool:
    """Return whether a turn is well-formed, and complete or cut at its limit of tokens."""
    last = check(events)
    return isinstance(last, TurnCompleted) or last.code == "max_output_tokens"


def test_two_turns_of_a_session_have_text(client: OpenAI) -> None:
    agent = Agent(client, model=MODEL, instructions="Be brief.", request=LIMITS)
    session = agent.create_session("greetings")
    for question in ("Say hello.", "And again."):
        events = list(agent.stream(question, session=session))
        assert is_whole(events)
        assert text_of(events).strip()
    assert len(client.conversations.items.list(session).data) == 4


def test_a_forced_function_runs_and_the_model_answers(client: OpenAI) -> None:
    request = {**LIMITS, "tool_choice": {"type": "function", "name": "get_weather"}}
    agent = Agent(client, model=MODEL, tools=[get_weather], request=request, max_responses=3)
    events = list(agent.stream("What is the weather in Paris?"))
    check(events)
    assert shape(events)[:3] == ["inference", "get_weather", "inference"]
    response = executions(events)[0].tool_responses[0]
    assert not response["is_error"]
    assert response["content"].startswith("It is cold in ")


def test_an_asynchronous_agent_runs_a_function_too(server: Serving) -> None:
    async def run() -> list[AgentEvent]:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0, timeout=600) as client:
            request = {**LIMITS, "tool_choice": "required"}
            agent = AsyncAgent(client, model=MODEL, tools=[get_weather], request=request, max_responses=3)
            return [event async for event in agent.stream("What is the weather in Rome?")]

    events = asyncio.run(run())
    check(events)
    assert shape(events)[:3] == ["inference", "get_weather", "inference"]


def test_the_output_is_a_value_of_its_type(client: OpenAI) -> None:
    agent = Agent(client, model=MODEL, output_type=Animal, request=LIMITS)
    animal = agent.run("Describe a dog in JSON.").output
    assert isinstance(animal, Animal)
    assert 0 <= animal.legs <= 9


def test_the_model_is_free_after_a_turn_that_is_closed(client: OpenAI, model_server: ModelServer) -> None:
    agent = Agent(client, model=MODEL, request={"max_output_tokens": 1000})
    events = agent.stream("Write a long story about a dog.")
    while not isinstance(next(events), StepProgress):
        pass
    assert model_server.busy == 1
    events.close()
    assert until(lambda: model_server.busy == 0)
    assert is_whole(list(Agent(client, model=MODEL, request=LIMITS).stream("Say hello.")))
