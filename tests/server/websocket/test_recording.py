"""Recordings, faults and the step log of responses that run at the same time."""

import asyncio
from pathlib import Path

from antiphon.service.log.entries import Log
from antiphon.testing import serve
from antiphon.wire.json import JSONObject
from antiphon.wire.log import ModelStep, ToolStep
from tests.server.sockets import ENDS, Socket
from tests.server.websocket.stage import SEARCH, search, stage
from tests.service.world import say
from tests.support.serving import backend
from tests.support.upstream import Answer, Request, Upstream, chunk, sse

LANES = ("a", "b", "c", "d")


class Echoing(Upstream):
    """Backend that repeats the newest message."""

    def _next(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return super()._next(request)
        return sse(chunk(f"re: {request.json['messages'][-1]['content']}"), chunk(finish="stop"))


def ask_all(url: str, turns: int, lanes: tuple[str, ...] = LANES) -> dict[str, list[str]]:
    """Return the texts of all lanes, which run at the same time; each turn continues the last."""
    texts: dict[str, list[str]] = {lane: [] for lane in lanes}
    with Socket(url) as socket:
        for lane in lanes:
            socket.create(stream_id=lane, input=f"{lane} 0", store=False)
        while any(len(said) < turns for said in texts.values()):
            event = socket.receive()
            assert event["type"] != "error", event
            if event["type"] not in ENDS:
                continue
            assert event["type"] == "response.completed", event
            response, lane = event["response"], event["stream_id"]
            texts[lane].append(response["output"][0]["content"][0]["text"])
            if (turn := len(texts[lane])) < turns:
                body: JSONObject = {"previous_response_id": response["id"], "store": False}
                socket.create(stream_id=lane, input=f"{lane} {turn}", **body)
    return texts


def test_lanes_are_recorded_and_replayed(tmp_path: Path) -> None:
    expected = {lane: [f"re: {lane} {turn}" for turn in range(3)] for lane in LANES}
    with Echoing() as upstream, serve(tmp_path, "record", backends=[backend(upstream)]) as server:
        assert ask_all(server.url, 3) == expected
        outcomes = server.take()
        assert [outcome.recorded for outcome in outcomes] == [1] * 12
    with serve(tmp_path) as server:
        assert ask_all(server.url, 3, LANES[::-1]) == expected
        assert [outcome.hits for outcome in server.take()] == [1] * 12


def test_each_response_has_the_steps_of_its_own_calls() -> None:
    async def scenario() -> None:
        async with stage() as given:
            given.brain.hold("slow")
            given.brain.replies["slow"] = [search(), say("found")]
            given.create("slow", stream_id="slow", store=True, tools=[SEARCH])
            await given.brain.begun["slow"].wait()
            quick = [await given.ask(lane, stream_id=lane, store=True) for lane in LANES]
            given.brain.gates["slow"].set()
            slow = (await given.until("response.completed", "slow"))["response"]
            log = Log(given.store)
            for response in quick:
                logged = await log.get(None, response["id"])
                assert [type(step) for step in logged.steps] == [ModelStep]
            logged = await log.get(None, slow["id"])
            assert [type(step) for step in logged.steps] == [ModelStep, ToolStep, ModelStep]

    asyncio.run(scenario())


def test_a_steered_response_and_its_successor_have_their_own_steps() -> None:
    async def scenario() -> None:
        async with stage() as given:
            given.search.gates["one"] = asyncio.Event()
            given.brain.replies["Hi"] = [search()]
            given.create("Hi", store=True, tools=[SEARCH])
            first = (await given.until("response.created"))["response"]["id"]
            await given.search.reached("begin ws_0")
            given.steer(first, "Stop")
            await given.until("response.steer.accepted")
            given.search.gates["one"].set()
            second = (await given.until("response.completed"))["response"]["id"]
            log = Log(given.store)
            steered, successor = await log.get(None, first), await log.get(None, second)
            assert [type(step) for step in steered.steps] == [ModelStep, ToolStep]
            assert steered.entry.status == "incomplete"
            assert [type(step) for step in successor.steps] == [ModelStep]
            assert successor.entry.status == "completed"

    asyncio.run(scenario())
