"""Random interleavings of lanes: order, numbers, contexts and limits hold in each."""

import asyncio
from collections.abc import Callable
from itertools import cycle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.errors import UpstreamUnreachable
from antiphon.wire.json import JSONObject
from tests.server.client import check_life_cycle
from tests.server.websocket.stage import ENDS, Stage, stage, text_of
from tests.service.world import say
from tests.support.thorough import often


class Program:
    """A random interleaving: requests on lanes, whose model calls the test releases in a random order."""

    def __init__(self, stage: Stage, choose: Callable[[int], int]) -> None:
        self.stage = stage
        self.choose = choose
        self.sent: dict[str | None, list[str]] = {}
        self.completed: dict[str, tuple[str, str | None]] = {}
        """The text of each complete response, and the response that it continues."""

    async def run(self, steps: int) -> None:
        brain = self.stage.brain
        for number in range(steps):
            lane = (None, "a", "b", "c", "d")[self.choose(5)]
            text = f"{lane}/{number}"
            brain.hold(text)
            kind = self.choose(4)
            brain.replies[text] = [say(text), say(text)] if kind else [UpstreamUnreachable("m")]
            self.send(lane, text, store=kind == 2)
            for _ in range(self.choose(6)):
                await asyncio.sleep(0)
            if brain.running and self.choose(2):
                brain.gates[brain.running[self.choose(len(brain.running))]].set()
            self.check_running()
        while self.unfinished():
            if brain.running:
                brain.gates[brain.running[self.choose(len(brain.running))]].set()
            self.check_running()
            await asyncio.sleep(0)

    def send(self, lane: str | None, text: str, *, store: bool) -> None:
        """Send a request, which may continue a response that has ended on any lane."""
        body: JSONObject = {"store": store} | ({} if lane is None else {"stream_id": lane})
        done = [each["response"] for each in self.stage.frames if each["type"] == "response.completed"]
        if done and self.choose(3):
            body["previous_response_id"] = done[self.choose(len(done))]["id"]
        self.sent.setdefault(lane, []).append(text)
        self.stage.create(text, metadata={"text": text}, **body)

    def unfinished(self) -> bool:
        return any(len(self.ends(lane)) < len(sent) for lane, sent in self.sent.items())

    def ends(self, lane: str | None) -> list[JSONObject]:
        """Return the ends of the requests of a lane: of responses, or errors in place of a response."""
        return [each for each in self.stage.of(lane) if each["type"] in ENDS or "status" in each]

    def check_running(self) -> None:
        """Assert that no lane runs two model calls, and that its order is kept."""
        running = [text.partition("/")[0] for text in self.stage.brain.running]
        assert len(set(running)) == len(running)

    def check(self) -> None:
        for lane, sent in self.sent.items():
            answers = self.answers(lane)
            assert len(answers) == len(sent)
            for text, events in zip(sent, answers, strict=True):
                if "status" in events[-1]:
                    assert len(events) == 1
                    assert events[0]["error"]["code"] == "previous_response_not_found"
                    continue
                check_life_cycle([{k: v for k, v in each.items() if k != "stream_id"} for each in events])
                response = events[-1]["response"]
                assert response["metadata"] == {"text": text}
                if response["status"] == "completed":
                    assert text_of(events[-1]) == text
                    self.completed[response["id"]] = text, response["previous_response_id"]
        for text, previous in self.completed.values():
            told = [content for role, content in self.stage.brain.told(text) if role == "user"]
            assert told == [*self.chain(previous), text]

    def chain(self, response_id: str | None) -> list[str]:
        """Return the texts of the user in the context of the response that continues another one."""
        if response_id is None:
            return []
        text, previous = self.completed[response_id]
        return [*self.chain(previous), text]

    def answers(self, lane: str | None) -> list[list[JSONObject]]:
        """Return the events of each request of a lane."""
        found: list[list[JSONObject]] = [[]]
        for event in self.stage.of(lane):
            found[-1].append(event)
            if event["type"] in ENDS or "status" in event:
                found.append([])
        assert found.pop() == []
        return found


@pytest.mark.timeout(500)
@settings(max_examples=often(25, 300), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(choices=st.lists(st.integers(0, 59), min_size=20, max_size=150), steps=st.integers(1, 25))
def test_random_interleavings_of_lanes(choices: list[int], steps: int) -> None:
    """The moments of commits vary. The choices are therefore drawn before the run, and may repeat."""
    drawn = cycle(choices)

    async def scenario() -> None:
        async with stage() as staged:
            program = Program(staged, lambda most: next(drawn) % most)
            await program.run(steps)
            program.check()

    asyncio.run(scenario())
