"""Turns without I/O: requests, and function calls that a turn leaves open."""

import pytest

from antiphon.agent import ToolResponse, TurnError
from antiphon.agent.plan import AgentSettings
from antiphon.agent.turns.response import Failure
from antiphon.agent.turns.turn import TurnRun
from antiphon.wire.json import JSONObject
from tests.agent.scripted import called, calls, created, ended, says

CALL = called("c1", "add", {})
OUTPUT: JSONObject = {"type": "function_call_output", "call_id": "c1", "output": "2"}
NOT_EXECUTED = "The tool was not executed, because the turn ended before."


def begun(**request: bool) -> TurnRun[None]:
    """Return a turn of a session after its first request."""
    turn = TurnRun(AgentSettings[None](model="m", request=request), "Hi", "conv_1")
    turn.start([])
    assert turn.next_request() is not None
    return turn


def feed(turn: TurnRun[None], *events: JSONObject) -> None:
    for event in events:
        list(turn.feed(event))


def answered() -> TurnRun[None]:
    """Return a turn whose function has run, before the second request."""
    turn = begun()
    feed(turn, *calls(CALL))
    step = turn.start_tools()
    turn.complete_tools(step, [{"call_id": "c1", "tool_name": "add", "content": "2", "is_error": False}])
    return turn


def test_a_turn_that_completes_leaves_nothing_open() -> None:
    turn = answered()
    turn.next_request()
    feed(turn, *says("Two.", 2))
    assert turn.next_request() is None
    assert turn.unanswered() == []


def test_a_call_that_nobody_executed_is_open() -> None:
    turn = begun()
    feed(turn, *calls(CALL))
    assert turn.unanswered() == [{**OUTPUT, "output": NOT_EXECUTED}]


def test_a_call_of_an_incomplete_response_is_open_because_the_session_has_it() -> None:
    turn = begun()
    feed(turn, created(), ended(CALL, status="incomplete"))
    assert turn.failure is not None
    assert turn.unanswered() == [{**OUTPUT, "output": NOT_EXECUTED}]


def test_a_call_of_a_failed_response_is_not_open_because_the_session_lacks_it() -> None:
    turn = begun()
    feed(turn, created(), ended(CALL, status="failed"))
    assert turn.unanswered() == []


@pytest.mark.parametrize("sent", [False, True])
def test_an_output_that_no_response_has_taken_is_open(sent: bool) -> None:
    turn = answered()
    if sent:
        assert turn.next_request() is not None
        list(turn.fail(Failure("The connection was lost.", "connection_lost")))
    assert turn.unanswered() == [OUTPUT]


def test_outputs_of_an_earlier_turn_come_first_and_stay_open_if_the_response_fails() -> None:
    turn = TurnRun(AgentSettings[None](model="m"), "And now?", "conv_1")
    turn.start([OUTPUT])
    request = turn.next_request()
    assert request is not None
    assert request["input"] == [OUTPUT, {"role": "user", "content": "And now?"}]
    feed(turn, created(), ended(status="failed"))
    assert turn.unanswered() == [OUTPUT]


def test_outputs_of_an_earlier_turn_stay_open_without_a_request() -> None:
    turn = TurnRun(AgentSettings[None](model="m"), "And now?", "conv_1")
    turn.start([OUTPUT])
    assert turn.unanswered() == [OUTPUT]


def test_a_server_without_response_ids_receives_all_items_and_reaches_the_limit() -> None:
    turn = TurnRun(AgentSettings[None](model="m", max_responses=2), "Hi", None)
    turn.start([])
    for expected in (1, 3):
        request = turn.next_request()
        assert request is not None
        assert len(request["input"]) == expected
        assert "previous_response_id" not in request
        feed(turn, {"type": "response.completed", "response": {"status": "completed", "output": [CALL]}})
        response: ToolResponse = {"call_id": "c1", "tool_name": "add", "content": "2", "is_error": False}
        turn.complete_tools(turn.start_tools(), [response])
    assert turn.next_request() is None
    assert turn.failure is not None
    assert turn.failure.code == "max_responses"


def test_the_first_failure_of_a_turn_counts() -> None:
    turn = begun()
    feed(turn, created(), ended(status="failed", error={"message": "First.", "code": "a"}))
    list(turn.fail(Failure("Second.", "b")))
    with pytest.raises(TurnError, match=r"First\.") as caught:
        turn.result()
    assert caught.value.code == "a"
    assert turn.next_request() is None
