"""Turns over this server when something fails: the backend, the tool, the user's approval, or the client."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI

from antiphon.agent import Agent, AsyncAgent, StepProgress, TurnCompleted, TurnFailed
from antiphon.agent.functions.tools import Tool
from antiphon.testing import LocalServer, serve
from tests.agent.running import KINDS, Kind, Runner
from tests.agent.wellformed import check, executions, inferences, text_of
from tests.clients.replies import calls, says
from tests.mcp_servers.running import servers
from tests.support.serving import backend
from tests.support.upstream import Upstream, chunk, reply, sse


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def server(upstream: Upstream) -> Iterator[LocalServer]:
    with serve(mode="live", backends=[backend(upstream)], allow_hosts=["127.0.0.1"]) as server:
        yield server


@pytest.fixture(params=KINDS)
def runner(request: pytest.FixtureRequest, server: LocalServer) -> Runner:
    kind: Kind = request.param
    return Runner(kind, lambda: client(server), lambda: async_client(server), "up/m")


def client(server: LocalServer) -> OpenAI:
    return OpenAI(base_url=server.url, api_key="unused", max_retries=0)


def async_client(server: LocalServer) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=server.url, api_key="unused", max_retries=0)


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    if city == "Atlantis":
        raise LookupError("no such city")
    return f"It is cold in {city}."


def test_a_backend_that_dies_fails_the_turn_and_the_session_goes_on(
    runner: Runner, upstream: Upstream
) -> None:
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"})),
        sse(chunk("Co"), done=False, end="cut"),
        says("Still cold."),
    )
    agent = runner.with_settings(tools=[get_weather])
    failed, done = agent.stream("Is it cold?", "And now?", session="weather")
    last = check(failed)
    assert isinstance(last, TurnFailed)
    assert last.code
    assert inferences(failed)[-1].text_content == "Co"
    assert isinstance(check(done), TurnCompleted)
    # The failed response stored nothing, so the output is sent again, and the model has the whole history.
    roles = [message["role"] for message in upstream.chats[2].json["messages"]]
    assert roles == ["user", "assistant", "tool", "user"]
    assert upstream.chats[2].json["messages"][2]["content"] == "It is cold in Oslo."


def test_a_backend_that_refuses_fails_the_turn_in_its_words(runner: Runner, upstream: Upstream) -> None:
    error = {"message": "No such GPU.", "type": "server_error", "param": None, "code": "no_gpu"}
    upstream.script(reply({"error": error}, status=400))
    last = check(runner.stream("Hi")[0])
    assert isinstance(last, TurnFailed)
    assert "No such GPU." in last.error_message


def test_an_incomplete_response_fails_the_turn_with_its_text(runner: Runner, upstream: Upstream) -> None:
    upstream.script(sse(chunk("It is"), chunk(finish="length")))
    (events,) = runner.stream("Hi")
    last = check(events)
    assert isinstance(last, TurnFailed)
    assert last.code == "max_output_tokens"
    assert (text_of(events), inferences(events)[-1].stop_reason) == ("It is", "incomplete")


def test_a_tool_that_raises_is_a_message_that_the_model_receives(runner: Runner, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Atlantis"})), says("There is no such city."))
    (events,) = runner.with_settings(tools=[get_weather]).stream("Is it cold?")
    assert isinstance(check(events), TurnCompleted)
    (message,) = [each for each in upstream.chats[1].json["messages"] if each["role"] == "tool"]
    assert message["content"] == "Error in tool 'get_weather': LookupError: no such city"


def test_a_denied_approval_is_answered_without_the_call(
    runner: Runner, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(calls(("call_1", "get_boiling_point", {"liquid_name": "water"})), says("I may not."))
    with servers(tmp_path) as running:
        place = {"server_label": "lab", "server_url": f"{running.url}/basic/sse"}
        tools: list[Tool] = [{"type": "mcp", "require_approval": "always", **place}]
        agent = runner.with_settings(tools=tools, approve=lambda request: request.tool_name == "other")
        (events,) = agent.stream("When does it boil?")
        assert "tools/call" not in running.asked()
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert last.final_text == "I may not."
    assert [step.tool_calls[0].tool_name for step in executions(events)] == ["mcp_list_tools"]


def test_a_client_that_stops_reading_stops_the_backend(server: LocalServer, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="hang"))
    with client(server) as opened:
        for event in Agent(opened, model="up/m").stream("Hi"):
            if isinstance(event, StepProgress):
                break
        assert upstream.disconnected.wait(20)


class Breaking(httpx2.HTTPTransport):
    """Transport whose first connection breaks after the first piece of text."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        response = super().handle_request(request)
        if len(self.requests) == 1:
            assert isinstance(response.stream, httpx2.SyncByteStream)
            response.stream = Broken(response.stream)
        return response


class Broken(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            yield piece
            if b"response.output_text.delta" in piece:
                raise httpx2.ReadError("the connection broke")

    def close(self) -> None:
        self._stream.close()


def test_a_stream_of_a_background_response_resumes_at_this_server(
    server: LocalServer, upstream: Upstream
) -> None:
    upstream.script(says("It ", "is ", "cold."))
    transport = Breaking()
    with OpenAI(
        base_url=server.url,
        api_key="unused",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    ) as opened:
        events = list(Agent(opened, model="up/m", request={"background": True}).stream("Is it cold?"))
    assert isinstance(check(events), TurnCompleted)
    assert text_of(events) == "It is cold."
    assert [request.split("/")[0] for request in transport.requests] == ["POST ", "GET "]
    assert len(upstream.chats) == 1


def test_a_client_that_stops_reading_cancels_a_background_response(
    server: LocalServer, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="hang"))
    with client(server) as opened:
        agent = Agent(opened, model="up/m", request={"background": True})
        stream = agent.stream("Hi")
        while not isinstance(next(stream), StepProgress):
            pass
        stream.close()
        assert upstream.disconnected.wait(20)


def test_a_cancelled_task_stops_the_backend(server: LocalServer, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="hang"))

    async def read(reading: asyncio.Event) -> None:
        async with (
            async_client(server) as opened,
            aclosing(AsyncAgent(opened, model="up/m").stream("Hi")) as events,
        ):
            async for event in events:
                if isinstance(event, StepProgress):
                    reading.set()

    async def run() -> None:
        reading = asyncio.Event()
        task = asyncio.create_task(read(reading))
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert upstream.disconnected.wait(20)


def test_a_server_that_is_not_there_fails_the_turn() -> None:
    with OpenAI(base_url="http://127.0.0.1:9/v1", api_key="unused", max_retries=0) as opened:
        last = check(list(Agent(opened, model="m").stream("Hi")))
    assert isinstance(last, TurnFailed)
    assert last.code == "connection_lost"
    assert last.error_message.startswith("The connection was lost: ")
