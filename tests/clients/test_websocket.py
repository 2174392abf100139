"""WebSocket mode with the helpers of openai-python and openai-agents."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents import Agent, function_tool
from agents.responses_websocket_session import responses_websocket_session
from agents.tracing import set_tracing_disabled
from openai import AsyncOpenAI, OpenAI
from openai.lib.responses_websocket import (
    AsyncResponsesWebSocketSession,
    ResponsesWebSocketError,
    ResponsesWebSocketLimits,
    ResponsesWebSocketSession,
)
from openai.resources.responses.responses import ResponsesConnection
from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
)
from starlette.websockets import WebSocket

from antiphon.server.websocket import connection as websocket
from tests.clients.replies import calls, says
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream

LIMITS = ResponsesWebSocketLimits(
    max_lanes=8, max_events_per_lane=1000, max_events=4000, max_bytes_per_lane=10**6, max_bytes=10**7
)


class Held(Upstream):
    """Backend whose chat completions wait until the test releases them, one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Semaphore(0)

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if answer is not self.models_answer:
            assert await asyncio.to_thread(self.released.acquire, timeout=20)
        return await super()._answer(answer, reader, writer)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Held, Serving]]:
    """Return a backend that waits for the test, and a server in front of it."""
    with Held() as upstream, Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        yield upstream, server


def test_lanes_of_an_asynchronous_session(held: tuple[Held, Serving]) -> None:
    upstream, server = held
    upstream.script(says("One."), says("Two."), says("Three."))

    async def scenario() -> None:
        client = AsyncOpenAI(base_url=server.url, api_key="none")
        async with (
            client,
            client.responses.connect() as connection,
            AsyncResponsesWebSocketSession(connection, limits=LIMITS) as session,
        ):
            first, second = session.lane("agent_1"), session.lane("agent.2")
            for lane in (first, second):
                await lane.send({"type": "response.create", "model": "up/m", "input": "Hi", "store": False})
            for lane in (first, second):
                assert (await lane.recv()).type == "response.created"  # Both run.
            upstream.released.release(2)
            one, two = await first.get_final_response(), await second.get_final_response()
            assert {one.output_text, two.output_text} == {"One.", "Two."}
            upstream.released.release()
            await second.send(
                {
                    "type": "response.create",
                    "model": "up/m",
                    "input": "Fork",
                    "store": False,
                    "previous_response_id": one.id,
                }
            )
            forked = await second.get_final_response()
            assert (forked.output_text, forked.previous_response_id) == ("Three.", one.id)
            await first.send(
                {"type": "response.create", "model": "up/m", "input": "x", "previous_response_id": two.id}
            )
            with pytest.raises(ResponsesWebSocketError) as failed:
                await first.get_final_response()
            assert failed.value.event.type == "error"
            assert failed.value.event.error.code == "previous_response_not_found"
            assert failed.value.event.stream_id == "agent_1"

    asyncio.run(scenario())
    said = [message["content"] for message in upstream.chats[-1].json["messages"]]
    assert said == ["Hi", said[1], "Fork"]


def test_lanes_of_a_session(held: tuple[Held, Serving]) -> None:
    upstream, server = held
    upstream.script(says("One."))
    upstream.released.release(10)
    with (
        OpenAI(base_url=server.url, api_key="none") as client,
        client.responses.connect() as connection,
        ResponsesWebSocketSession(connection, limits=LIMITS) as session,
    ):
        lanes = [session.default, session.lane("a"), session.lane("b")]
        for lane in lanes:
            lane.send({"type": "response.create", "model": "up/m", "input": "Hi", "store": False})
        assert [lane.get_final_response().output_text for lane in lanes] == ["One."] * 3


def test_steering(held: tuple[Held, Serving]) -> None:
    """The successor of a final answer begins by itself."""
    upstream, server = held
    upstream.script(says("Long."), says("Short."))
    with OpenAI(base_url=server.url, api_key="none") as client, client.responses.connect() as connection:
        connection.response.create(model="up/m", input="Hi", store=False)
        created = connection.recv()
        assert created.type == "response.created"
        connection.response.steer(previous_response_id=created.response.id, input="Be brief.")
        accepted = until(connection, "response.steer.accepted")
        assert isinstance(accepted, ResponseSteerAcceptedEvent)
        assert accepted.steer.previous_response_id == created.response.id
        upstream.released.release(2)
        ends = [until(connection, "response.completed") for _ in range(2)]
        assert isinstance(ends[1], ResponseCompletedEvent)
        assert ends[1].response.output_text == "Short."
        assert ends[1].response.previous_response_id == created.response.id
        connection.response.steer(previous_response_id=created.response.id, input="Too late.")
        failed = connection.recv()
        assert isinstance(failed, ResponseSteerFailedEvent)
        assert (failed.error.code, failed.steer.input) == ("response_already_completed", "Too late.")


def test_steering_of_a_response_that_calls_a_function(held: tuple[Held, Serving]) -> None:
    upstream, server = held
    upstream.script(calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold."))
    with OpenAI(base_url=server.url, api_key="none") as client, client.responses.connect() as connection:
        weather = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
        connection.response.create(model="up/m", input="Hi", tools=[weather])  # type: ignore[list-item]
        created = connection.recv()
        assert created.type == "response.created"
        message = {"role": "user", "content": [{"type": "input_text", "text": "In Celsius."}]}
        connection.response.steer(previous_response_id=created.response.id, input=[message])  # type: ignore[list-item]
        until(connection, "response.steer.accepted")
        upstream.released.release(2)
        pending = until(connection, "response.steer.pending")
        assert isinstance(pending, ResponseSteerPendingEvent)
        (stub,) = pending.required_input
        assert stub.type == "function_call_output"
        output = {**stub.to_dict(), "output": "It is cold."}
        connection.response.create(
            model="up/m",
            input=[output],  # type: ignore[list-item]
            previous_response_id=created.response.id,
        )
        end = until(connection, "response.completed")
        assert isinstance(end, ResponseCompletedEvent)
        assert end.response.output_text == "Cold."
    said = [(message["role"], message["content"]) for message in upstream.chats[-1].json["messages"]]
    assert said[-2:] == [("tool", "It is cold."), ("user", "In Celsius.")]


def until(connection: ResponsesConnection, kind: str) -> object:
    """Return the next event of a type."""
    while (event := connection.recv()).type != kind:
        assert event.type not in ("error", "response.failed"), event
    return event


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"It is cold in {city}."


def test_openai_agents_over_one_connection(
    server: Serving, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[WebSocket] = []

    class Counted(websocket.Connection):
        def __init__(self, given: WebSocket) -> None:
            super().__init__(given)
            opened.append(given)

    monkeypatch.setattr(websocket, "Connection", Counted)
    set_tracing_disabled(True)  # Traces would go to api.openai.com.
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold ", "there."), says("About Oslo.")
    )

    async def scenario() -> None:
        agent = Agent(name="Helper", model="up/m", tools=[get_weather])
        async with responses_websocket_session(
            api_key="none", base_url=server.url, unknown_prefix_mode="model_id"
        ) as session:
            streamed = session.run_streamed(agent, "What is the weather in Oslo?")
            deltas = [
                event.data.delta
                async for event in streamed.stream_events()
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
            ]
            assert deltas == ["Cold ", "there."]
            assert streamed.final_output == "Cold there."
            followed = await session.run(
                agent, "What did I ask?", previous_response_id=streamed.last_response_id
            )
            assert followed.final_output == "About Oslo."

    asyncio.run(scenario())
    assert len(upstream.chats) == 3
    roles = [message["role"] for message in upstream.chats[-1].json["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
    assert len(opened) == 1
