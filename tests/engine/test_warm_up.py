"""Warm-up without a model call."""

import asyncio

import msgspec
import pytest

from antiphon.decode.bodies import create_response, response_create_event
from antiphon.engine.loop import is_warm_up
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import ResponseCreateEvent
from tests.engine.looping import ScriptedModel, collect, loop


@pytest.mark.parametrize(
    ("body", "expected"), [({}, False), ({"generate": True}, False), ({"generate": False}, True)]
)
def test_a_warm_up_is_asked_for_over_a_websocket(body: JSONObject, expected: bool) -> None:
    text = msgspec.json.encode({"type": "response.create", "model": "m"} | body)
    assert is_warm_up(msgspec.json.decode(text, type=ResponseCreateEvent)) is expected
    assert not is_warm_up(create_response.decode(msgspec.json.encode({"model": "m", "generate": False})))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, False),
        ({}, False),
        ({"prewarm": None}, False),
        ({"prewarm": False}, False),
        ({"prewarm": True}, True),
    ],
)
def test_filling_the_prompt_cache_in_advance_is_a_warm_up(options: JSON, expected: bool) -> None:
    body = {"model": "m", "generate": True, "prompt_cache_options": options}
    assert is_warm_up(create_response.decode(msgspec.json.encode(body))) is expected
    frame = {"type": "response.create"} | body
    assert is_warm_up(response_create_event.decode(msgspec.json.encode(frame))) is expected


@pytest.mark.parametrize(
    "body",
    [{"type": "response.create", "generate": False}, {"prompt_cache_options": {"prewarm": True}}],
)
def test_a_warm_up_calls_no_model(body: JSONObject) -> None:
    model = ScriptedModel([])
    events = asyncio.run(collect(loop(model, body)))
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    response = events[-1]["response"]
    assert (response["status"], response["output"], response["usage"]["total_tokens"]) == ("completed", [], 0)
    assert model.requests == []
