"""The tokens of responses are reported, however a response ends."""

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, UpstreamBroken, UpstreamTimeout
from antiphon.service.responses.run import Run
from antiphon.wire.json import JSONObject
from tests.service.world import ME, World, say

USAGE = msgspec.json.encode(
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}
)


async def begun(world: World, told: list[int], text: str = "Hi") -> Run:
    body: JSONObject = {"model": "up/m", "input": text}
    request = bodies.create_response.decode(msgspec.json.encode(body))
    created = await world.responses.create(RequestContext(owner=ME, spend=told.append), request)
    return await world.opened.enter_async_context(created)


def test_a_whole_response(world: World) -> None:
    told: list[int] = []

    async def respond() -> None:
        await (await begun(world, told)).response()

    world.model.script([*say("Hello."), USAGE])
    world.run(respond())
    assert told == [7]


def test_one_that_is_left_is_estimated(world: World) -> None:
    told: list[int] = []

    async def leave() -> None:
        events = (await begun(world, told, "x" * 400)).events()
        await anext(events)
        await anext(events)
        await events.aclose()

    world.model.script([*say("Hel", "lo."), USAGE])
    world.run(leave())
    assert len(told) == 1
    assert 100 < told[0] < 150


@pytest.mark.parametrize(
    ("reply", "error", "least"),
    [([*say("Hel", finish=None)], UpstreamBroken, 10), (UpstreamTimeout("up: too slow"), UpstreamTimeout, 0)],
)
def test_one_that_fails(
    world: World, reply: list[bytes] | Exception, error: type[AntiphonError], least: int
) -> None:
    told: list[int] = []

    async def fail() -> None:
        with pytest.raises(error):
            await (await begun(world, told)).response()

    world.model.script(reply)
    world.run(fail())
    assert len(told) == 1
    assert told[0] >= least
    assert bool(told[0]) is bool(least)
