"""Steering raced against the end of responses: input is applied once, or returned once."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable

from antiphon.wire.json import JSON, JSONObject
from tests.server.websocket.stage import SEARCH, F, Stage, search, stage
from tests.service.world import call_function, say

RACES = int(os.environ.get("ANTIPHON_RACES", "60"))
"""The number of races."""


class Race:
    """One response on a lane of its own, and one or two submissions at random moments."""

    def __init__(self, given: Stage, number: int, chance: random.Random) -> None:
        self.given = given
        self.chance = chance
        self.lane = f"lane-{number % 8}"
        self.text = f"race {number}"
        self.inputs = [f"{self.text} steer {each}" for each in range(chance.choice((1, 1, 2)))]
        self.first = len(given.of(self.lane))
        self.kind = chance.choice(("plain", "search", "search", "function"))
        replies = {
            "plain": [say(*"abcdefgh"[: chance.randrange(1, 8)])],
            "search": [*[search()] * chance.randrange(1, 3), say("done")],
            "function": [call_function("call_1")],
        }
        given.brain.replies[self.text] = [*replies[self.kind]]

    def events(self) -> list[JSONObject]:
        """Return the frames of the lane since the beginning of the race."""
        frames = self.given.of(self.lane)[self.first :]
        # The lane returns the pending input of the race before when this one begins.
        mine = [each["response"]["id"] for each in frames if each["type"] == "response.created"]
        return [
            each for each in frames if "steer" not in each or each["steer"]["previous_response_id"] in mine
        ]

    def of(self, kind: str) -> list[JSONObject]:
        return [each for each in self.events() if each["type"] == kind]

    async def run(self) -> None:
        tools: list[JSON] = [SEARCH] if self.kind == "search" else [F] if self.kind == "function" else []
        store = self.chance.random() < 0.5
        self.given.create(self.text, stream_id=self.lane, tools=tools, store=store)
        await self.until(lambda: bool(self.of("response.created")))
        response_id: str = self.of("response.created")[0]["response"]["id"]
        for text in self.inputs:
            for _ in range(self.chance.randrange(self.chance.choice((2, 8, 30)))):
                await asyncio.sleep(0)
            self.given.steer(response_id, text)
        await self.until(self.is_over)

    async def until(self, is_reached: Callable[[], bool]) -> None:
        """Wait until a condition holds, which can change only with a frame."""
        async with asyncio.timeout(20):
            while not is_reached():
                await self.given.news()

    def is_over(self) -> bool:
        """Return whether each submission has an outcome, and each response its end."""
        kinds = Counter(each["type"].removeprefix("response.") for each in self.events())
        begun = kinds["created"]
        ended = kinds["completed"] + kinds["incomplete"] + kinds["failed"]
        answered = kinds["steer.accepted"] + kinds["steer.failed"]
        if answered < len(self.inputs) or ended < begun:
            return False
        return kinds["steer.accepted"] == 0 or kinds["steer.pending"] > 0 or begun > 1

    def outcome(self) -> str:
        """Return the outcome of the submissions, after all checks."""
        accepted = {each["steer"]["id"] for each in self.of("response.steer.accepted")}
        assert len(accepted) == len(self.of("response.steer.accepted"))
        failed = self.of("response.steer.failed")
        assert {each["error"]["code"] for each in failed} <= {
            "response_already_completed",
            "response_not_active",
        }
        assert not any("id" in each["steer"] for each in failed)
        returned = [each["steer"]["input"] for each in failed]
        applied = [text for text in self.inputs if text not in returned]
        assert len(applied) == len(accepted)
        pending = [each["steer"]["id"] for each in self.of("response.steer.pending")]
        told = [asked for asked in map(self._user_texts, self.given.brain.requests) if self.text in asked]
        if pending:
            assert sorted(pending) == sorted(accepted)
            assert self.kind == "function"
            assert all(asked == [self.text] for asked in told)
            return "pending"
        steered = [each for each in self.of("response.incomplete") if each["response"]["status"]]
        if not applied:
            assert not steered
            assert all(asked == [self.text] for asked in told)
            return "returned"
        self._check_successor(applied)
        # The model has seen the input once, in order, and not before the successor.
        assert told[-1] == [self.text, *applied]
        assert all(asked in ([self.text], [self.text, *applied]) for asked in told)
        return "steered" if steered else "after the end"

    def _check_successor(self, applied: list[str]) -> None:
        kinds = [each["type"] for each in self.events()]
        second = len(kinds) - 1 - kinds[::-1].index("response.created")
        first_end = next(
            at for at, kind in enumerate(kinds) if kind in ("response.completed", "response.incomplete")
        )
        assert first_end < second
        accepted = [at for at, kind in enumerate(kinds) if kind == "response.steer.accepted"]
        assert max(accepted) < second
        begun = [each["response"] for each in self.of("response.created")]
        assert len(begun) == 2
        assert begun[1]["previous_response_id"] == begun[0]["id"]
        if "response.incomplete" in kinds:
            details = self.of("response.incomplete")[0]["response"]["incomplete_details"]
            assert details == {"reason": "steered"}
        assert len(applied) == len(accepted)

    @staticmethod
    def _user_texts(request: JSON) -> list[str]:
        return [message["content"] for message in request["messages"] if message["role"] == "user"]


def test_steering_races_with_the_end_of_the_response() -> None:
    """Each submission is applied, pending or returned; `ANTIPHON_RACES` sets the number of races."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it if the test fails.

    async def run() -> Counter[str]:
        outcomes: Counter[str] = Counter()
        chance = random.Random(seed)
        for begin in range(0, RACES, 40):
            async with stage() as given:
                for number in range(begin, min(begin + 40, RACES)):
                    race = Race(given, number, chance)
                    await race.run()
                    outcomes[race.outcome()] += 1
        return outcomes

    outcomes = asyncio.run(run())
    print(dict(outcomes))  # noqa: T201
    assert sum(outcomes.values()) == RACES
    if RACES >= 200:  # Fewer races may miss an outcome by chance.
        assert {"steered", "after the end", "returned", "pending"} <= set(outcomes), outcomes
