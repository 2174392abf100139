"""Steering input that a server rejects."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.websocket.stage import Stage, failure, staged

INVALID: dict[str, JSON] = {
    "empty": [],
    "assistant": [{"role": "assistant", "content": "x"}],
    "output": [{"type": "function_call_output", "call_id": "call_1", "output": "x"}],
    "reference": [{"type": "item_reference", "id": "msg_1"}],
    "id": [{"role": "user", "content": "x", "id": "msg_1"}],
    "part": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}],
    "unknown_key": [{"role": "user", "content": "x", "extra": 1}],
    "broken_item": [{"role": "user"}],
    "not_an_object": [1],
}


@pytest.mark.parametrize("wrong", INVALID.values(), ids=INVALID)
def test_invalid_input_is_returned(wrong: JSON) -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.create("Hi", stream_id="a")
        first = (await given.until("response.created", "a"))["response"]["id"]
        given.steer(first, wrong)
        event = await given.until("response.steer.failed", "a")
        assert failure(event) == ("invalid_input", wrong)
        assert event["steer"] == {"previous_response_id": first, "input": wrong}
        given.brain.gates["Hi"].set()
        await given.until("response.completed", "a")
        assert len(given.brain.requests) == 1

    staged(scenario)


def test_an_event_has_no_other_keys() -> None:
    async def scenario(given: Stage) -> None:
        given.brain.hold("Hi")
        given.create("Hi", stream_id="a")
        first = (await given.until("response.created", "a"))["response"]["id"]
        given.steer(first, "Stop", stream_id="a")
        assert failure(await given.until("response.steer.failed", "a")) == ("invalid_input", "Stop")
        given.brain.gates["Hi"].set()

    staged(scenario)


@pytest.mark.parametrize(
    "frame",
    [
        {"input": "Stop"},
        {"previous_response_id": 1, "input": "Stop"},
        {"previous_response_id": "resp_1"},
        {"previous_response_id": "resp_1", "input": 1},
    ],
)
def test_an_event_without_input_to_return_is_an_error(frame: JSONObject) -> None:
    async def scenario(given: Stage) -> None:
        given.send({"type": "response.steer"} | frame)
        error = await given.until("error")
        assert error["status"] == 400
        assert error["error"]["param"] in ("previous_response_id", "input")
        assert (await given.ask("Hi"))["status"] == "completed"

    staged(scenario)
