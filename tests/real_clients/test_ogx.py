"""ogx-client's view of turns: steps of inference, and of tools on either side."""

import json
from pathlib import Path

import pytest

from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.real_clients.installed import HERE, environment, run
from tests.support.serving import Serving
from tests.support.upstream import Upstream

QUESTIONS = ["Say hello.", "What is the code name?", "What is the weather in Oslo?"]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("client", ["ogx", "openai"])
def test_turns_and_steps(server: Serving, upstream: Upstream, tmp_path: Path, client: str) -> None:
    upstream.script(
        says("Hel", "lo."),
        calls(("call_1", "file_search", {"query": "code name"})),
        says("It is BLUE_FALCON."),
        calls(("call_2", "get_weather", {"city": "Oslo"})),
        says("Cold."),
    )
    program = [str(environment("ogx") / "bin" / "python"), str(HERE / "ogx" / "steps.py")]
    env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}

    plain, searched, own = json.loads(run([*program, client, *QUESTIONS], tmp_path, env))

    assert [event["event_type"] for event in plain] == [
        *("turn_started", "step_started", "step_progress", "step_progress", "step_completed"),
        "turn_completed",
    ]
    assert plain[0]["session_id"].startswith("conv_")
    assert plain[1]["metadata"] is None
    assert [delta["text"] for delta in deltas(plain)] == ["Hel", "lo."]
    (inference,) = steps(plain)
    assert inference["result"]["stop_reason"] == "end_of_turn"
    assert inference["result"]["function_calls"] == []
    assert plain[-1]["final_text"] == "Hello."

    assert [step["step_type"] for step in steps(searched)] == ["inference", "tool_execution", "inference"]
    place = {"server_side": True, "tool_type": "file_search", "tool_name": "file_search_call"}
    assert tool_step(searched)["metadata"] == place
    assert searched[-1]["final_text"] == "It is BLUE_FALCON."
    assert "BLUE_FALCON" in json.dumps(upstream.chats[2].json["messages"][-1])

    assert [step["step_type"] for step in steps(own)] == ["inference", "tool_execution", "inference"]
    assert tool_step(own)["metadata"] == {"server_side": False}
    issued, _ = deltas(own)
    assert (issued["tool_type"], issued["tool_name"]) == ("function", "get_weather")
    assert own[-1]["final_text"] == "Cold."
    assert upstream.chats[4].json["messages"][-1]["content"] == '"It is cold in Oslo."'


def steps(events: list[JSON]) -> list[JSON]:
    """Return the events that end steps."""
    return [event for event in events if event["event_type"] == "step_completed"]


def deltas(events: list[JSON]) -> list[JSON]:
    """Return the deltas of the steps."""
    return [event["delta"] for event in events if event["event_type"] == "step_progress"]


def tool_step(events: list[JSON]) -> JSON:
    """Return the event that begins the only step of a tool."""
    begun = [event for event in events if event["event_type"] == "step_started"]
    (step,) = [event for event in begun if event["step_type"] == "tool_execution"]
    return step
