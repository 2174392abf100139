"""Calls of `async` tools in a response: the model goes on in the same response."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import WEB_SEARCH, FakeSearch, Hosting, Replies, calls, says

PENDING = "The result is pending. It arrives in a later message; go on without it."
F: JSONObject = {"type": "function", "name": "f", "async": True}
G: JSONObject = {"type": "function", "name": "g", "async": False}


def test_the_model_goes_on_after_a_call_that_it_does_not_wait_for() -> None:
    done = Hosting(Replies(calls(("f", "{}")), says("It runs.")), [F]).run()
    called, said = done.response["output"]
    assert (called["type"], called["async"], called["status"]) == ("function_call", True, "completed")
    assert said["content"][0]["text"] == "It runs."
    assert done.response["status"] == "completed"
    assert done.response["usage"]["output_tokens"] == 10
    assert done.response["tools"] == [F | {"description": None, "parameters": None, "strict": True}]
    second = done.model.requests[1]
    assert second["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_up0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_up0", "content": PENDING},
    ]


def test_every_event_of_the_call_has_the_flag() -> None:
    done = Hosting(Replies(calls(("f", "{}")), says("So.")), [F]).run()
    items = [event["item"] for event in done.events if event["type"].startswith("response.output_item")]
    assert [item.get("async") for item in items if item["type"] == "function_call"] == [True, True]


def test_a_custom_tool_and_a_tool_of_a_namespace_can_be_asynchronous() -> None:
    custom: JSONObject = {"type": "custom", "name": "c", "async": True}
    space: JSONObject = {"type": "namespace", "name": "n", "description": "d", "tools": [F]}
    made = calls(("c", '{"input": "x"}'), ("n__f", "{}"))
    done = Hosting(Replies(made, says("So.")), [custom, space]).run()
    kinds = [(item["type"], item.get("async")) for item in done.response["output"]]
    assert kinds == [("custom_tool_call", True), ("function_call", True), ("message", None)]
    assert done.response["tools"][0]["async"] is True
    assert done.response["tools"][1]["tools"][0]["async"] is True


@pytest.mark.parametrize("made", [[("f", "{}"), ("g", "{}")], [("g", "{}"), ("f", "{}")], [("g", "{}")]])
def test_a_call_that_the_model_waits_for_ends_the_response(made: list[tuple[str, str]]) -> None:
    done = Hosting(Replies(calls(*made)), [F, G]).run()
    assert len(done.model.requests) == 1
    assert done.response["status"] == "completed"
    flags = {item["name"]: item.get("async") for item in done.response["output"]}
    assert flags == {name: True if name == "f" else None for name, _ in made}


def test_hosted_tools_run_beside_the_call() -> None:
    made = calls(("f", "{}"), ("web_search", '{"query": "q"}'))
    done = Hosting(Replies(made, says("So.")), [F, WEB_SEARCH], FakeSearch(1)).run()
    kinds = [item["type"] for item in done.response["output"]]
    assert kinds == ["function_call", "web_search_call", "message"]
    roles = [message["role"] for message in done.model.requests[1]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]


def test_a_model_that_only_calls_is_stopped() -> None:
    done = Hosting(Replies(calls(("f", "{}"))), [F], max_rounds=3).run()
    assert len(done.model.requests) == 3
    assert done.response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_required_call_is_required_once() -> None:
    choice: JSON = {"type": "function", "name": "f"}
    done = Hosting(Replies(calls(("f", "{}")), says("So.")), [F], body={"tool_choice": choice}).run()
    assert done.model.requests[1]["tool_choice"] == "auto"
    assert done.response["status"] == "completed"
