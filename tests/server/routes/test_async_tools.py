"""Calls of `async` tools over HTTP, whose outputs later requests have, or none."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.bad_bodies import ask
from tests.server.client import get, post
from tests.server.faults import TEXT, call
from tests.server.following import finished
from tests.support.upstream import Answer, Upstream, chunk, sse

F: JSONObject = {"type": "function", "name": "f", "async": True}
OUTPUT: JSONObject = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
CALLS: Answer = sse(*call("{}"), chunk(finish="tool_calls"))
LATE: JSONObject = {"role": "user", "content": "The result of the call call_1 of f:\n42"}


def asked(url: str, upstream: Upstream, *answers: Answer, **more: JSON) -> JSONObject:
    upstream.script(*answers)
    answer = post(url, "/responses", ask(tools=[F]) | more)
    assert answer.status == 200, answer.body
    response: JSONObject = answer.json
    return response


def kinds(response: JSONObject) -> list[str]:
    return [item["type"] for item in response["output"]]


def test_the_output_arrives_in_a_later_response_of_the_chain(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream, CALLS, TEXT)
    assert kinds(first) == ["function_call", "message"]
    assert first["output"][0]["async"] is True
    second = asked(url, upstream, TEXT, input="And?", previous_response_id=first["id"])
    third = asked(url, upstream, TEXT, input=[OUTPUT], previous_response_id=second["id"])
    assert third["status"] == "completed"
    last = upstream.chats[3].json["messages"]
    assert [message["role"] for message in last] == [
        *("user", "assistant", "tool", "assistant"),
        *("user", "assistant", "user"),
    ]
    assert last[-1] == LATE
    # Nothing that the model has read changes, so that prompt caches match.
    assert last[: len(upstream.chats[2].json["messages"])] == upstream.chats[2].json["messages"]
    stored = get(url, f"/responses/{first['id']}").json
    assert stored["output"] == first["output"]


def test_the_output_arrives_in_a_conversation(url: str, upstream: Upstream) -> None:
    conversation = post(url, "/conversations", {}).json["id"]
    asked(url, upstream, CALLS, TEXT, conversation=conversation)
    asked(url, upstream, TEXT, input=[OUTPUT], conversation=conversation)
    assert upstream.chats[2].json["messages"][-1] == LATE
    items = get(url, f"/conversations/{conversation}/items?order=asc").json["data"]
    assert [item.get("async") for item in items if item["type"] == "function_call"] == [True]


def test_the_output_arrives_with_the_history_of_the_client(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream, CALLS, TEXT, store=False)
    asked(url, upstream, TEXT, store=False, input=[*first["output"], OUTPUT])
    assert upstream.chats[2].json["messages"][-1] == LATE


@pytest.mark.parametrize("stream", [True, False])
def test_the_model_goes_on_in_a_background_response(url: str, upstream: Upstream, stream: bool) -> None:
    upstream.script(CALLS, TEXT)
    answer = post(url, "/responses", ask(tools=[F], background=True, stream=stream))
    assert answer.status == 200, answer.body
    done = answer.last if stream else finished(url, answer.json["id"])
    assert (done["status"], kinds(done)) == ("completed", ["function_call", "message"])
