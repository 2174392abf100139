"""Phases of messages: set where the request or its history has one."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.service.world import World, call_function, say, user

TOOLS = [{"type": "function", "name": "f"}]
EARLIER: JSONObject = {"type": "message", "role": "assistant", "content": "Hello."}


def phases(response: JSONObject) -> list[JSON]:
    return [item.get("phase") for item in response["output"] if item["type"] == "message"]


@pytest.mark.parametrize("phase", ["commentary", "final_answer"])
def test_a_phase_in_the_input_asks_for_phases(world: World, phase: str) -> None:
    response = world.respond([user("Hi"), EARLIER | {"phase": phase}, user("Go on")])
    assert phases(response) == ["final_answer"]
    assert phases(world.get(response["id"])) == ["final_answer"]


@pytest.mark.parametrize("earlier", [EARLIER, EARLIER | {"phase": None}])
def test_without_a_phase_messages_have_none(world: World, earlier: JSONObject) -> None:
    assert phases(world.respond([user("Hi"), earlier, user("Go on")])) == [None]


def test_a_history_keeps_its_phases(world: World) -> None:
    world.model.script([*say("I look.", finish=None), *call_function("call_1")], say("Done."))
    first = world.respond([EARLIER | {"phase": "final_answer"}, user("Go")], tools=TOOLS)
    assert phases(first) == ["commentary"]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "out"}
    second = world.respond([output], previous_response_id=first["id"])
    assert phases(second) == ["final_answer"]
    assert "phase" not in world.model.requests[-1]["messages"][0]
