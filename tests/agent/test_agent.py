"""Turns of both kinds of agents over a scripted server."""

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from antiphon.agent import (
    Agent,
    AgentEvent,
    ApprovalRequest,
    AsyncAgent,
    StepStarted,
    Turn,
    TurnCompleted,
    TurnError,
    TurnFailed,
    WrongAgent,
)
from antiphon.agent.functions.tools import Tool
from antiphon.wire.json import JSON, JSONObject
from tests.agent.running import Runner
from tests.agent.scripted import Cut, Refusal, Script, called, calls, created, delta, numbered, says
from tests.agent.wellformed import check, executions, inferences, shape, text_of

APPROVAL: JSONObject = {
    "type": "mcp_approval_request",
    "id": "mcpr_1",
    "server_label": "files",
    "name": "delete",
    "arguments": "{}",
}


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It is cold in {city}."


def outputs(body: JSONObject) -> dict[str, JSON]:
    """Return the outputs of function calls in a request, by call."""
    found = [item for item in body["input"] if item.get("type") == "function_call_output"]
    return {item["call_id"]: item["output"] for item in found}


def test_a_turn_without_tools_is_one_request(runner: Runner, script: Script) -> None:
    script.answers = [says("Hello.")]
    (events,) = runner.with_settings(instructions="Be brief.").stream("Hi")
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert (last.final_text, last.response_ids, last.session_id) == ("Hello.", ["resp_1"], None)
    assert script.bodies == [
        {
            "model": "m",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": "Hi"}],
            "stream": True,
        }
    ]


def test_the_result_of_a_run_is_its_text_and_its_steps(runner: Runner, script: Script) -> None:
    script.answers = [calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2)]
    turn = runner.with_settings(tools=[get_weather]).run("Is it cold in Oslo?")
    assert str(turn) == turn.final_text == "Cold."
    assert turn.output is None
    assert turn.response_ids == ["resp_1", "resp_2"]
    assert [type(step).__name__ for step in turn.steps] == [
        "InferenceStepResult",
        "ToolExecutionStepResult",
        "InferenceStepResult",
    ]
    assert turn.response.id == "resp_2"


def test_a_function_runs_between_two_responses_of_a_session(runner: Runner, script: Script) -> None:
    script.answers = [calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2)]
    (events,) = runner.with_settings(tools=[get_weather]).stream("Is it cold?", session="weather")
    check(events)
    assert script.requests[0][1:] == ("/v1/conversations", {"metadata": {"name": "weather"}})
    assert [body["conversation"] for body in script.bodies] == ["conv_1", "conv_1"]
    assert shape(events) == ["inference", "get_weather", "inference"]
    (started,) = [event for event in events if isinstance(event, StepStarted) and event.metadata]
    assert started.metadata == {"server_side": False, "tool_type": "function", "tool_name": "get_weather"}
    (execution,) = executions(events)
    assert execution.tool_responses == [
        {"call_id": "c1", "tool_name": "get_weather", "content": "It is cold in Oslo.", "is_error": False}
    ]
    assert script.bodies[1]["input"] == [
        {"type": "function_call_output", "call_id": "c1", "output": "It is cold in Oslo."}
    ]
    assert inferences(events)[0].stop_reason == "tool_calls"


def test_without_a_session_a_turn_continues_by_its_previous_response(runner: Runner, script: Script) -> None:
    script.answers = [calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2)]
    check(runner.with_settings(tools=[get_weather]).stream("Is it cold?")[0])
    assert [body.get("previous_response_id") for body in script.bodies] == [None, "resp_1"]
    assert "conversation" not in script.bodies[0]


def test_a_server_that_stores_nothing_receives_all_items_again(runner: Runner, script: Script) -> None:
    call = called("c1", "get_weather", {"city": "Oslo"})
    script.answers = [calls(call), says("Cold.", 2)]
    check(runner.with_settings(tools=[get_weather], request={"store": False}).stream("Is it cold?")[0])
    assert script.bodies[1]["input"] == [
        {"role": "user", "content": "Is it cold?"},
        call,
        {"type": "function_call_output", "call_id": "c1", "output": "It is cold in Oslo."},
    ]
    assert "previous_response_id" not in script.bodies[1]


def test_parallel_calls_run_at_the_same_time_and_keep_their_order(runner: Runner, script: Script) -> None:
    together = threading.Barrier(3, timeout=20)

    def meet(number: int) -> int:
        """Wait for the other calls."""
        together.wait()
        return number * 2

    script.answers = [calls(*(called(f"c{n}", "meet", {"number": n}) for n in range(3))), says("Met.", 2)]
    check(runner.with_settings(tools=[meet]).stream("Meet")[0])
    assert list(outputs(script.bodies[1]).items()) == [("c0", "0"), ("c1", "2"), ("c2", "4")]


def test_coroutine_functions_run_with_both_agents(runner: Runner, script: Script) -> None:
    waiting = []
    arrived = asyncio.Event()

    async def meet(number: int) -> list[int]:
        """Wait for the other call."""
        waiting.append(number)
        if len(waiting) == 2:
            arrived.set()
        await asyncio.wait_for(arrived.wait(), 20)
        return [number]

    script.answers = [
        calls(called("c1", "meet", {"number": 1}), called("c2", "meet", {"number": 2})),
        says("", 2),
    ]
    check(runner.with_settings(tools=[meet]).stream("Meet")[0])
    assert outputs(script.bodies[1]) == {"c1": "[1]", "c2": "[2]"}


def test_an_exception_of_a_tool_is_a_clean_message_for_the_model(
    runner: Runner, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(city: str) -> str:
        raise ValueError(f"no city {city}")

    script.answers = [calls(called("c1", "fail", {"city": "Oslo"})), says("Sorry.", 2)]
    with caplog.at_level(logging.WARNING, "antiphon.agent"):
        (events,) = runner.with_settings(tools=[fail]).stream("Go")
    assert isinstance(check(events), TurnCompleted)
    assert outputs(script.bodies[1]) == {"c1": "Error in tool 'fail': ValueError: no city Oslo"}
    assert executions(events)[0].tool_responses[0]["is_error"]
    assert [record.message for record in caplog.records] == ["Tool failed"]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    ("call", "output"),
    [
        (called("c1", "nothing", {}), "There is no tool 'nothing'."),
        (
            called("c1", "get_weather", {"city": 1.5}),
            "The arguments of tool 'get_weather' are wrong: Expected `str`, got `float` - at `$.city`",
        ),
        (
            called("c1", "get_weather", "{"),
            "The arguments of tool 'get_weather' are wrong: Input data was truncated",
        ),
    ],
)
def test_a_wrong_call_is_a_clean_message_for_the_model(
    runner: Runner, script: Script, call: JSONObject, output: str
) -> None:
    script.answers = [calls(call), says("Sorry.", 2)]
    check(runner.with_settings(tools=[get_weather]).stream("Go")[0])
    assert outputs(script.bodies[1]) == {"c1": output}


def test_a_tool_that_hangs_is_a_clean_message_and_the_others_still_count(
    runner: Runner, script: Script
) -> None:
    released = threading.Event()

    def hang() -> None:
        released.wait(30)

    async def hang_too() -> None:
        await asyncio.Event().wait()

    script.answers = [
        calls(
            called("c1", "hang", {}),
            called("c2", "get_weather", {"city": "Oslo"}),
            called("c3", "hang_too", {}),
        ),
        says("Sorry.", 2),
    ]
    tools: list[Tool] = [hang, hang_too, get_weather]
    check(runner.with_settings(tools=tools, tool_timeout=0.2).stream("Go")[0])
    released.set()
    assert outputs(script.bodies[1]) == {
        "c1": "Tool 'hang' did not finish within 0.2 seconds.",
        "c2": "It is cold in Oslo.",
        "c3": "Tool 'hang_too' did not finish within 0.2 seconds.",
    }


@pytest.mark.parametrize("approved", [True, False])
def test_the_callback_answers_an_approval_request(runner: Runner, script: Script, approved: bool) -> None:
    asked: list[ApprovalRequest] = []

    def approve(request: ApprovalRequest) -> bool:
        asked.append(request)
        return approved

    script.answers = [calls(APPROVAL), says("Done.", 2)]
    (events,) = runner.with_settings(approve=approve).stream("Delete it", session="files")
    assert isinstance(check(events), TurnCompleted)
    assert [(each.server_label, each.tool_name) for each in asked] == [("files", "delete")]
    assert script.bodies[1]["input"] == [
        {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": approved}
    ]


def test_an_asynchronous_callback_approves_too(script: Script) -> None:
    async def approve(request: ApprovalRequest) -> bool:
        await asyncio.sleep(0)
        return request.tool_name == "delete"

    async def run() -> Turn[None]:
        async with script.async_client() as client:
            return await AsyncAgent(client, model="m", approve=approve).run("Delete it")

    script.answers = [calls(APPROVAL), says("Done.", 2)]
    assert str(asyncio.run(run())) == "Done."
    assert script.bodies[1]["input"][0]["approve"] is True


def test_an_approval_request_without_a_callback_fails_the_turn(runner: Runner, script: Script) -> None:
    script.answers = [calls(APPROVAL)]
    last = check(runner.stream("Delete it")[0])
    assert isinstance(last, TurnFailed)
    assert last.code == "approval_required"
    assert last.error_message == (
        "MCP server 'files' needs an approval for 'delete'. Pass 'approve' to the agent."
    )


def test_a_turn_that_never_ends_fails_after_its_responses(runner: Runner, script: Script) -> None:
    script.answers = [calls(called(f"c{n}", "get_weather", {"city": "Oslo"}), number=n) for n in range(3)]
    last = check(runner.with_settings(tools=[get_weather], max_responses=3).stream("Go")[0])
    assert isinstance(last, TurnFailed)
    assert (last.code, last.error_message) == ("max_responses", "The turn has no answer after 3 responses.")


def test_a_refused_request_fails_the_turn_in_the_servers_words(runner: Runner, script: Script) -> None:
    error = {
        "message": "Invalid key.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    script.answers = [Refusal(401, error)]
    last = check(runner.stream("Hi")[0])
    assert isinstance(last, TurnFailed)
    assert (last.error_message, last.code) == ("Invalid key.", "invalid_api_key")
    script.answers = [Refusal(401, error)]
    with pytest.raises(TurnError, match=r"^Invalid key\.$") as caught:
        runner.run("Hi")
    assert caught.value.code == "invalid_api_key"
    assert type(caught.value.__cause__).__name__ == "AuthenticationError"


def test_a_run_that_fails_raises_its_steps(runner: Runner, script: Script) -> None:
    script.answers = [
        calls(called("c1", "get_weather", {"city": "Oslo"})),
        numbered(
            created(2), delta("Co"), {"type": "error", "message": "Out of memory.", "code": "server_error"}
        ),
    ]
    with pytest.raises(TurnError, match="Out of memory") as caught:
        runner.with_settings(tools=[get_weather]).run("Go")
    assert caught.value.response_ids == ["resp_1", "resp_2"]
    assert len(caught.value.steps) == 3


def test_the_next_turn_of_a_session_sends_the_outputs_that_a_failed_one_left(
    runner: Runner, script: Script
) -> None:
    call = called("c1", "get_weather", {"city": "Oslo"})
    script.answers = [calls(call), Cut([]), says("Cold.", 3)]
    failed, done = runner.with_settings(tools=[get_weather]).stream("Is it cold?", "And now?", session="s")
    assert isinstance(check(failed), TurnFailed)
    assert isinstance(check(done), TurnCompleted)
    assert script.bodies[2]["input"] == [
        {"type": "function_call_output", "call_id": "c1", "output": "It is cold in Oslo."},
        {"role": "user", "content": "And now?"},
    ]


def test_the_next_turn_of_a_session_answers_the_calls_of_a_cancelled_one(script: Script) -> None:
    script.answers = [calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2)]
    with script.client() as client:
        agent = Agent(client, model="m", tools=[get_weather])
        session = agent.create_session("s")
        events = agent.stream("Is it cold?", session=session)
        while not isinstance(event := next(events), StepStarted) or event.step_type != "tool_execution":
            pass
        events.close()
        assert str(agent.run("And now?", session=session)) == "Cold."
    output = "The tool was not executed, because the turn ended before."
    assert outputs(script.bodies[1]) == {"c1": output}


@pytest.mark.parametrize(
    ("choice", "later"),
    [
        ("required", None),
        ({"type": "function", "name": "get_weather"}, None),
        ("auto", "auto"),
        ("none", "none"),
    ],
)
def test_a_forced_tool_choice_applies_to_the_first_response_of_a_turn(
    runner: Runner, script: Script, choice: JSON, later: JSON
) -> None:
    script.answers = [calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2), says("No.", 3)]
    check(runner.with_settings(tools=[get_weather], request={"tool_choice": choice}).stream("Go", "On")[0])
    assert [body.get("tool_choice") for body in script.bodies] == [choice, later, choice]


def test_items_are_input_too(runner: Runner, script: Script) -> None:
    script.answers = [says("Hello.")]
    given = [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]
    check(runner.stream(given)[0])
    assert script.bodies[0]["input"] == given


def test_an_agent_inside_a_running_event_loop_runs_functions(script: Script) -> None:
    async def notebook() -> list[AgentEvent]:
        with script.client() as client:
            return list(Agent(client, model="m", tools=[get_weather]).stream("Is it cold?"))

    script.answers = [calls(called("c1", "get_weather", {"city": "Oslo"})), says("Cold.", 2)]
    assert text_of(asyncio.run(notebook())) == "Cold."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda script: Agent(script.async_client(), model="m"), "asynchronous. Use AsyncAgent"),
        (lambda script: AsyncAgent(script.client(), model="m"), "not asynchronous. Use Agent"),
        (lambda script: Agent(script.client(), model="m", request={"input": "x"}), "sets 'input' itself"),
        (lambda script: Agent(script.client(), model="m", tools=[get_weather, get_weather]), "Two tools"),
        (
            lambda script: Agent(script.client(), model="m", tools=[{"type": "function", "name": "f"}]),
            "Pass the Python function itself",
        ),
        (lambda script: Agent(script.client(), model="m", output_type=int), "has no fields"),
    ],
)
def test_a_wrong_agent_is_an_error_at_its_creation(
    script: Script, make: Callable[[Script], object], message: str
) -> None:
    with pytest.raises(WrongAgent, match=message):
        make(script)
