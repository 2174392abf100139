"""Warm-up without a model call."""

import asyncio

import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.loop import is_warm_up
from antiphon.wire.json import JSONObject
from antiphon.wire.responses import ResponseCreateEvent
from tests.engine.looping import ScriptedModel, collect, loop


@pytest.mark.parametrize(
    ("body", "expected"), [({}, False), ({"generate": True}, False), ({"generate": False}, True)]
)
def test_a_warm_up_is_asked_for_over_a_websocket(body: JSONObject, expected: bool) -> None:
    text = msgspec.json.encode({"type": "response.create", "model": "m"} | body)
    assert is_warm_up(msgspec.json.decode(text, type=ResponseCreateEvent)) is expected
    assert not is_warm_up(create_response.decode(msgspec.json.encode({"model": "m", "generate": False})))


def test_a_warm_up_calls_no_model() -> None:
    model = ScriptedModel([])
    events = asyncio.run(collect(loop(model, {"type": "response.create", "generate": False})))
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    response = events[-1]["response"]
    assert (response["status"], response["output"], response["usage"]["total_tokens"]) == ("completed", [], 0)
    assert model.requests == []
