"""Steering of the loop: the response ends between two model calls when input waits."""

import asyncio

import msgspec
import pytest

from antiphon.engine.steering import SteerQueue, Submission
from antiphon.wire.items import Message
from antiphon.wire.json import JSONObject
from tests.engine.hosting import WEB_SEARCH, FakeSearch, Hosting, Replies, calls, says
from tests.engine.looping import collect

SEARCH = ("web_search", '{"query":"one"}')
FUNCTION: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def submission(text: str = "Stop") -> Submission:
    return Submission("steer_1", [Message(role="user", content=text)], msgspec.Raw(msgspec.json.encode(text)))


class Steered(Hosting):
    """Response with a queue of steering input."""

    def __init__(self, model: Replies, search: FakeSearch, tools: tuple[JSONObject, ...] = ()) -> None:
        self.steering: SteerQueue = SteerQueue(2)
        super().__init__(model, [WEB_SEARCH, *tools], search)


def test_a_steered_response_ends_after_its_tool_calls() -> None:
    """The call that has begun ends as it would without the input, and the model isn't called again."""
    search = FakeSearch()
    gate = search.gates["one"] = asyncio.Event()
    model = Replies(calls(SEARCH), says("It is 128."))
    steered = Steered(model, search)

    async def run() -> None:
        running = asyncio.create_task(collect(steered.loop))
        await search.reached("begin ws_0")
        steered.steering.add(submission())
        gate.set()
        steered.events = await running

    asyncio.run(run())
    steered.check()
    assert steered.output() == ["web_search_call"]
    assert steered.response["output"][0]["status"] == "completed"
    assert steered.events[-1]["type"] == "response.incomplete"
    assert steered.response["incomplete_details"] == {"reason": "steered"}
    assert steered.response["completed_at"] is None
    assert len(model.requests) == 1
    assert [type(item).__name__ for item in steered.loop.items()] == ["Message", "WebSearchCall"]


def test_a_final_answer_is_completed() -> None:
    """No model call would follow, so the input doesn't change the response."""
    steered = Steered(Replies(says("It is 128.")), FakeSearch())
    steered.steering.add(submission())
    steered.run()
    assert steered.response["status"] == "completed"
    assert steered.steering.has_input()


def test_a_response_that_waits_for_the_client_is_completed() -> None:
    steered = Steered(Replies(calls(SEARCH, ("f", "{}"))), FakeSearch(), (FUNCTION,))
    steered.steering.add(submission())
    steered.run()
    assert steered.response["status"] == "completed"
    assert steered.output() == ["function_call", "web_search_call"]


def test_without_input_the_loop_goes_on() -> None:
    steered = Steered(Replies(calls(SEARCH), says("It is 128.")), FakeSearch())
    steered.run()
    assert steered.response["status"] == "completed"


def test_the_queue_is_bounded_and_in_order() -> None:
    queue = SteerQueue(2)
    assert not queue.has_input()
    for text in ("a", "bc"):
        queue.add(submission(text))
    assert queue.is_full
    assert queue.size == len('"a"') + len('"bc"')
    with pytest.raises(AssertionError):
        queue.add(submission())
    assert [bytes(each.given) for each in queue.take()] == [b'"a"', b'"bc"']
    assert not queue.has_input()
    assert queue.take() == []
