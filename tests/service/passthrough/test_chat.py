"""Chat completions, proxied to the backend."""

import msgspec
import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, NotFound, UpstreamBroken, UpstreamTimeout
from antiphon.wire.json import JSON, JSONObject
from tests.service.world import World, say

BODY: JSONObject = {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}], "seed": 7}


def test_the_backend_gets_everything_and_its_own_name(world: World) -> None:
    world.model.script([b'{"whole": true}'])
    assert world.run(world.chat.complete(BODY, RequestContext())) == b'{"whole": true}'
    assert world.model.requests == [BODY | {"model": "m"}]


def streamed(world: World, body: JSONObject) -> list[bytes]:
    async def read() -> list[bytes]:
        return [chunk async for batch in world.chat.stream(body, RequestContext()) for chunk in batch]

    return world.run(read())


def test_chunks_come_as_they_are(world: World) -> None:
    chunks = say("Hel", "lo.")
    world.model.script(chunks)
    assert streamed(world, BODY | {"stream": True}) == chunks
    assert world.model.requests[0].get("stream") is True


def test_errors_of_the_backend_come_through(world: World) -> None:
    world.model.script(UpstreamTimeout("up: too slow"))
    with pytest.raises(UpstreamTimeout):
        world.run(world.chat.complete(BODY, RequestContext()))
    with pytest.raises(UpstreamTimeout):
        streamed(world, BODY | {"stream": True})


def test_leaving_closes_the_stream(world: World) -> None:
    async def leave() -> None:
        batches = world.chat.stream(BODY, RequestContext())
        await anext(batches)
        await batches.aclose()

    world.model.script(say("Hel", "lo."))
    world.run(leave())
    assert world.model.closed == 1


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"model": 1}, "model", "invalid_type"),
        ({"messages": "Hi"}, "messages", "invalid_type"),
    ],
)
def test_what_is_needed_to_route(world: World, changes: JSON, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        world.run(world.chat.complete(BODY | changes, RequestContext()))
    assert (caught.value.param, caught.value.code) == (param, code)
    assert world.model.requests == []


def test_an_unknown_model(world: World) -> None:
    with pytest.raises(NotFound) as caught:
        streamed(world, BODY | {"model": "up/none"})
    assert caught.value.code == "model_not_found"


def test_nothing_is_stored(world: World) -> None:
    before = world.all_rows()
    world.model.script([b"{}"])
    world.run(world.chat.complete(BODY, RequestContext()))
    assert world.all_rows() == before


def test_an_empty_stream_is_broken(world: World) -> None:
    world.model.script([])
    with pytest.raises(UpstreamBroken):
        streamed(world, BODY | {"stream": True})


USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_the_tokens_of_each_call_are_reported(world: World) -> None:
    told: list[int] = []
    context = RequestContext(spend=told.append)

    async def read(*, to_the_end: bool) -> None:
        batches = world.chat.stream(BODY | {"stream": True}, context)
        async for _ in batches:
            if not to_the_end:
                await batches.aclose()

    world.model.script([msgspec.json.encode({"usage": USAGE})])
    world.run(world.chat.complete(BODY, context))
    world.model.script([*say("Hel", "lo."), msgspec.json.encode({"choices": [], "usage": USAGE})])
    world.run(read(to_the_end=True))
    assert told == [7, 7]
    # The tokens of a cancelled stream, or of one without a readable count, are estimated.
    world.run(read(to_the_end=False))
    world.model.script(
        [*say("Hello."), msgspec.json.encode({"choices": [], "usage": {"total_tokens": "many"}})]
    )
    world.run(read(to_the_end=True))
    assert all(tokens > 7 for tokens in told[2:])
    assert len(told) == 4


def test_a_call_without_an_answer_costs_nothing(world: World) -> None:
    told: list[int] = []
    world.model.script(UpstreamTimeout("up: too slow"))
    with pytest.raises(UpstreamTimeout):
        world.run(anext(world.chat.stream(BODY, RequestContext(spend=told.append))))
    assert told == [0]
