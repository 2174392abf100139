"""openai-agents over the server: tool loops, streams, structured output, handoffs and sessions."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
)
from openai import AsyncOpenAI, OpenAI
from openai.types.shared import Reasoning
from pydantic import BaseModel

from antiphon.wire.json import JSON
from tests.clients.replies import calls, says, says_json
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk, sse

T = TypeVar("T")

QUIET = RunConfig(tracing_disabled=True)
"""Turn off traces, which would go to api.openai.com."""
SAMPLE = "antiphon/sample"


class Weather(BaseModel):
    city: str
    degrees: int


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"It is cold in {city}."


def talk(server: Serving, work: Callable[[AsyncOpenAI], Coroutine[None, None, T]]) -> T:
    """Run `work` with a client of the server."""

    async def run() -> T:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            return await work(client)

    return asyncio.run(run())


def agent(client: AsyncOpenAI, model: str = "up/m", name: str = "Helper") -> Agent[None]:
    return Agent(name=name, instructions="Be brief.", model=OpenAIResponsesModel(model, client))


def contents(upstream: Upstream, number: int = -1) -> list[JSON]:
    """Return the text of each message in a call to the backend, except instructions."""
    messages = upstream.chats[number].json["messages"]
    return [message["content"] for message in messages if message["role"] != "system"]


def test_a_function_tool_loop(server: Serving, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"}), ("call_2", "get_weather", {"city": "Rome"})),
        says("Cold ", "everywhere."),
    )

    async def work(client: AsyncOpenAI) -> object:
        helper = agent(client).clone(tools=[get_weather])
        return (await Runner.run(helper, "Oslo and Rome?", run_config=QUIET)).final_output

    assert talk(server, work) == "Cold everywhere."
    _, assistant, *answers = upstream.chats[1].json["messages"][1:]
    assert [call["function"]["name"] for call in assistant["tool_calls"]] == ["get_weather"] * 2
    assert [answer["content"] for answer in answers] == ["It is cold in Oslo.", "It is cold in Rome."]


@pytest.mark.parametrize("stream", [False, True])
def test_the_sample_works_for_an_agent(server: Serving, stream: bool) -> None:
    called = []

    @function_tool
    def look_up(word: str) -> str:
        """Look up a word."""
        called.append(word)
        return "found"

    async def work(client: AsyncOpenAI) -> object:
        helper = agent(client, SAMPLE).clone(tools=[look_up])
        if not stream:
            return (await Runner.run(helper, "Look up a word.", run_config=QUIET)).final_output
        result = Runner.run_streamed(helper, "Look up a word.", run_config=QUIET)
        async for _ in result.stream_events():
            pass
        return result.final_output

    answer = talk(server, work)
    assert isinstance(answer, str)
    assert answer
    assert len(called) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_backend_without_usage_is_no_problem_for_an_agent(
    server: Serving, upstream: Upstream, stream: bool
) -> None:
    upstream.script(sse(chunk("Hello"), chunk(finish="stop")))

    async def work(client: AsyncOpenAI) -> tuple[object, int, int]:
        if stream:
            run = Runner.run_streamed(agent(client), "Hi", run_config=QUIET)
            async for _ in run.stream_events():
                pass
            usage = run.context_wrapper.usage
            return run.final_output, usage.requests, usage.total_tokens
        done = await Runner.run(agent(client), "Hi", run_config=QUIET)
        usage = done.context_wrapper.usage
        return done.final_output, usage.requests, usage.total_tokens

    assert talk(server, work) == ("Hello", 1, 0)


def test_a_streamed_run(server: Serving, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold ", "there."))

    async def work(client: AsyncOpenAI) -> tuple[list[str], list[str], object]:
        helper = agent(client).clone(tools=[get_weather])
        result = Runner.run_streamed(helper, "Oslo?", run_config=QUIET)
        deltas: list[str] = []
        names: list[str] = []
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                deltas.append(event.data.delta)
            elif event.type == "run_item_stream_event":
                names.append(event.name)
        return deltas, names, result.final_output

    deltas, names, output = talk(server, work)
    assert deltas == ["Cold ", "there."]
    assert names == ["tool_called", "tool_output", "message_output_created"]
    assert output == "Cold there."


@pytest.mark.parametrize("model", ["up/m", SAMPLE])
def test_structured_output(server: Serving, upstream: Upstream, model: str) -> None:
    upstream.script(says_json({"city": "Oslo", "degrees": -3}))

    async def work(client: AsyncOpenAI) -> object:
        helper = agent(client, model).clone(output_type=Weather)
        return (await Runner.run(helper, "Oslo?", run_config=QUIET)).final_output

    output = talk(server, work)
    assert isinstance(output, Weather)
    if model == "up/m":
        assert output == Weather(city="Oslo", degrees=-3)
        assert upstream.chats[0].json["response_format"]["json_schema"]["strict"] is True


def test_a_handoff(server: Serving, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "transfer_to_poet", {})), says("A poem."))

    async def work(client: AsyncOpenAI) -> tuple[str, object]:
        poet = agent(client, name="Poet")
        result = await Runner.run(
            agent(client, name="Desk").clone(handoffs=[poet]), "A poem, please.", run_config=QUIET
        )
        return result.last_agent.name, result.final_output

    assert talk(server, work) == ("Poet", "A poem.")
    assert len(upstream.chats) == 2
    assert "tools" not in upstream.chats[1].json


def test_reasoning_goes_round_with_the_history(server: Serving, upstream: Upstream) -> None:
    upstream.script(
        sse(
            chunk(reasoning_content="Ask."),
            chunk(
                tool_calls=[
                    {
                        "index": 0,
                        "id": "call_1",
                        "function": {"name": "get_weather", "arguments": '{"city":"O"}'},
                    }
                ]
            ),
            chunk(finish="tool_calls"),
        ),
        says("Cold."),
    )
    settings = ModelSettings(
        reasoning=Reasoning(effort="low"), response_include=["reasoning.encrypted_content"]
    )

    async def work(client: AsyncOpenAI) -> object:
        helper = agent(client).clone(tools=[get_weather], model_settings=settings)
        return (await Runner.run(helper, "O?", run_config=QUIET)).final_output

    assert talk(server, work) == "Cold."
    assert len(upstream.chats) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_session_over_two_runs(server: Serving, client: OpenAI, upstream: Upstream, stream: bool) -> None:
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold."), says("You asked of Oslo.")
    )

    async def work(asynchronous: AsyncOpenAI) -> tuple[str, int]:
        session = OpenAIConversationsSession(openai_client=asynchronous)
        helper = agent(asynchronous).clone(tools=[get_weather])
        for question in ("Oslo?", "What did I ask?"):
            if stream:
                result = Runner.run_streamed(helper, question, session=session, run_config=QUIET)
                async for _ in result.stream_events():
                    pass
            else:
                await Runner.run(helper, question, session=session, run_config=QUIET)
        return session.session_id, len(await session.get_items())

    conversation, count = talk(server, work)
    assert contents(upstream) == ["Oslo?", "", "It is cold in Oslo.", "Cold.", "What did I ask?"]
    items: JSON = client.conversations.items.list(conversation, order="asc")
    kinds = [item.type for item in items]
    assert kinds == [
        "message",
        "function_call",
        "function_call_output",
        "message",
        "message",
        "message",
    ]
    assert count == len(kinds)


def test_a_session_gives_its_last_item_back(server: Serving, upstream: Upstream) -> None:
    upstream.script(says("One."))

    async def work(client: AsyncOpenAI) -> tuple[JSON, int, int]:
        session = OpenAIConversationsSession(openai_client=client)
        await Runner.run(agent(client), "one", session=session, run_config=QUIET)
        popped: JSON = await session.pop_item()
        left = len(await session.get_items())
        await session.add_items([{"role": "user", "content": str(number)} for number in range(45)])
        grown = len(await session.get_items())
        await session.clear_session()
        return popped, left, grown

    popped, left, grown = talk(server, work)
    assert popped["content"][0]["text"] == "One."
    assert (left, grown) == (1, 46)


def test_a_chain_by_previous_response_id(server: Serving, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold."), says("Oslo."))

    async def work(client: AsyncOpenAI) -> object:
        helper = agent(client).clone(tools=[get_weather])
        first = await Runner.run(helper, "Oslo?", run_config=QUIET, auto_previous_response_id=True)
        second = await Runner.run(
            helper, "Which city?", run_config=QUIET, previous_response_id=first.last_response_id
        )
        return second.final_output

    assert talk(server, work) == "Oslo."
    assert contents(upstream) == ["Oslo?", "", "It is cold in Oslo.", "Cold.", "Which city?"]


def test_a_conversation_kept_by_the_server(server: Serving, client: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold."), says("Oslo."))
    conversation = client.conversations.create().id

    async def work(asynchronous: AsyncOpenAI) -> object:
        helper = agent(asynchronous).clone(tools=[get_weather])
        for question in ("Oslo?", "Which city?"):
            result = await Runner.run(helper, question, conversation_id=conversation, run_config=QUIET)
        return result.final_output

    assert talk(server, work) == "Oslo."
    assert contents(upstream) == ["Oslo?", "", "It is cold in Oslo.", "Cold.", "Which city?"]
    assert len(list(client.conversations.items.list(conversation))) == 6
