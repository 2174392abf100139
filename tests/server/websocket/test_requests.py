"""Responses over a WebSocket: the checks of Open Responses, and the memory of a connection."""

import pytest
from openai import OpenAI

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import check_life_cycle, get, post, types
from tests.server.faults import TEXT, call
from tests.server.sockets import Socket
from tests.support.schemas import check_openresponses_event
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk, reply, sse

MISSING = "resp_" + "0" * 50


def said(upstream: Upstream) -> list[JSON]:
    """Return the messages of the newest model call."""
    messages: list[JSON] = upstream.chats[-1].json["messages"]
    return messages


def turn(role: str, content: str) -> JSONObject:
    return {"role": role, "content": content}


def not_found(response_id: str) -> JSONObject:
    return {
        "status": 400,
        "type": "invalid_request_error",
        "code": "previous_response_not_found",
        "param": "previous_response_id",
        "message": f"Previous response with id '{response_id}' not found.",
    }


# The following tests are checks of Open Responses' acceptance suite, under their names.


def test_websocket_response(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        events = socket.ask()
    check_life_cycle(events)
    for event in events:
        check_openresponses_event(event)
    assert events[-1]["type"] == "response.completed"
    assert get(server.url, f"/responses/{events[-1]['response']['id']}").json == events[-1]["response"]


def test_websocket_sequential_responses(server: Serving, upstream: Upstream) -> None:
    before = get(server.url, "/responses").json
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        first, second = socket.ask(store=False), socket.ask(store=False)
    for events in (first, second):
        check_life_cycle(events)
        assert events[-1]["response"]["status"] == "completed"
    assert first[0]["response"]["id"] != second[0]["response"]["id"]
    assert get(server.url, "/responses").json == before


def test_websocket_continuation(server: Serving, upstream: Upstream) -> None:
    """The model receives the whole chain, though none of it is stored."""
    upstream.script(sse(chunk("One."), chunk(finish="stop")), sse(chunk("Two."), chunk(finish="stop")), TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
        second = socket.response(store=False, previous_response_id=first["id"], input="Next")
        third = socket.response(store=False, previous_response_id=second["id"], input="Last")
    assert third["previous_response_id"] == second["id"]
    assert said(upstream) == [
        turn("user", "Hi"),
        turn("assistant", "One."),
        turn("user", "Next"),
        turn("assistant", "Two."),
        turn("user", "Last"),
    ]


def test_websocket_reconnect_store_false_recovery(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
    with Socket(server.url) as socket:
        assert socket.error(store=False, previous_response_id=first["id"]) == not_found(first["id"])
        assert socket.response(store=False)["status"] == "completed"
    assert said(upstream) == [turn("user", "Hi")]


def test_websocket_previous_response_not_found(server: Serving, upstream: Upstream) -> None:
    with Socket(server.url) as socket:
        assert socket.error(store=False, previous_response_id=MISSING) == not_found(MISSING)
    assert upstream.chats == []


def test_websocket_failed_continuation_evicts_cache(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
        output = {"type": "function_call_output", "call_id": "call_unknown", "output": "x"}
        error = socket.error(store=False, previous_response_id=first["id"], input=[output])
        assert (error["status"], error["param"]) == (400, "input")
        assert error["message"] == "No tool call found for function call output with call_id call_unknown."
        assert socket.error(store=False, previous_response_id=first["id"]) == not_found(first["id"])
        assert socket.response(store=False)["status"] == "completed"


def test_websocket_compact_new_chain(server: Serving, upstream: Upstream) -> None:
    """A new chain over given items, whose `output_text` has no annotations, with `tools: []`."""
    upstream.script(TEXT)
    given: list[JSON] = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Red."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Noted."}]},
        {"type": "message", "role": "user", "content": "Which color?"},
    ]
    with Socket(server.url) as socket:
        assert socket.response(store=False, input=given, tools=[])["status"] == "completed"
    assert said(upstream) == [
        turn("user", "Red."),
        turn("assistant", "Noted."),
        turn("user", "Which color?"),
    ]


# The connection's own memory, and the store.


def test_function_calls_are_answered_on_the_socket(server: Serving, upstream: Upstream) -> None:
    upstream.script(sse(*call("{}"), chunk(finish="tool_calls")), TEXT)
    tools: list[JSON] = [{"type": "function", "name": "f", "parameters": {}}]
    with Socket(server.url) as socket:
        first = socket.response(store=False, tools=tools)
        output = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
        socket.response(store=False, tools=tools, previous_response_id=first["id"], input=[output])
    assert [message["role"] for message in said(upstream)] == ["user", "assistant", "tool"]


def test_only_the_latest_response_is_kept(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
        second = socket.response(store=False)
        assert socket.error(previous_response_id=first["id"]) == not_found(first["id"])
        socket.response(previous_response_id=second["id"])


def test_a_failure_that_continues_nothing_evicts_nothing(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
        assert socket.error(model="none")["code"] == "model_not_found"
        socket.send("{broken")
        assert socket.refusal()["code"] == "invalid_json"
        socket.send({"type": "response.cancel", "previous_response_id": first["id"]})
        assert socket.refusal()["param"] == "type"
        socket.response(store=False, previous_response_id=first["id"])


@pytest.mark.parametrize("failure", ["invalid", "backend"])
def test_other_failures_evict_too(server: Serving, upstream: Upstream, failure: str) -> None:
    upstream.script(TEXT, reply({"error": {"message": "no"}}, status=400), TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
        if failure == "invalid":
            assert socket.error(previous_response_id=first["id"], temperature=3)["param"] == "temperature"
        else:
            events = socket.ask(previous_response_id=first["id"], store=False)
            assert types(events)[-2:] == ["error", "failed"]
        assert socket.error(previous_response_id=first["id"]) == not_found(first["id"])
    upstream.forget()


def test_stored_responses_are_continued_from_everywhere(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket, Socket(server.url) as other:
        first = socket.response()
        second = other.response(previous_response_id=first["id"], input="Next")
        assert socket.error(previous_response_id=first["id"], temperature=3)["status"] == 400
        socket.response(previous_response_id=first["id"], input="Next")
    body = {"model": "up/m", "input": "Last", "previous_response_id": second["id"]}
    assert post(server.url, "/responses", body).json["status"] == "completed"
    assert [message["content"] for message in said(upstream)] == ["Hi", "Hello", "Next", "Hello", "Last"]


def test_a_stored_response_may_continue_one_that_is_not(server: Serving, upstream: Upstream) -> None:
    """On the connection the chain is complete; elsewhere, the error reports that its beginning is missing."""
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        first = socket.response(store=False)
        second = socket.response(previous_response_id=first["id"])
        socket.response(previous_response_id=second["id"], store=False)
    assert len(said(upstream)) == 5
    answer = post(
        server.url, "/responses", {"model": "up/m", "input": "x", "previous_response_id": second["id"]}
    )
    assert answer.error["message"] == not_found(first["id"])["message"]


def test_openai_python(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    client = OpenAI(base_url=server.url, api_key="none")
    with client, client.responses.connect() as connection:
        ids: list[str] = []
        for previous in (None, 0):
            connection.response.create(
                model="up/m",
                input="Hi",
                store=False,
                previous_response_id=None if previous is None else ids[previous],
            )
            text = ""
            for event in connection:
                if event.type == "response.output_text.delta":
                    text += event.delta
                if event.type == "response.completed":
                    ids.append(event.response.id)
                    break
            assert text == "Hello"
        connection.response.create(model="up/m", input="Hi", previous_response_id=MISSING)
        error = connection.recv()
        assert error.type == "error"
        assert (error.status, error.error.code) == (400, "previous_response_not_found")
        connection.response.steer(input="Stop", previous_response_id=ids[-1])
        refused = connection.recv()
        assert refused.type == "response.steer.failed"
        assert (refused.error.code, refused.steer.input) == ("response_already_completed", "Stop")


# Warming up.


@pytest.mark.parametrize("store", [False, True])
@pytest.mark.parametrize("following", ["What now?", []])
def test_a_response_that_only_takes_its_context_in(
    server: Serving, upstream: Upstream, store: bool, following: JSON
) -> None:
    tools: list[JSON] = [{"type": "function", "name": "f", "parameters": {}}]
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        events = socket.ask(generate=False, store=store, tools=tools, instructions="Be brief.")
        assert types(events) == ["created", "in_progress", "completed"]
        warm = events[-1]["response"]
        assert warm["output"] == []
        assert (warm["usage"]["input_tokens"], warm["usage"]["output_tokens"]) == (0, 0)
        assert upstream.chats == []
        next_one = socket.response(store=store, previous_response_id=warm["id"], input=following)
    assert next_one["previous_response_id"] == warm["id"]
    # Each request has its own instructions and tools.
    assert said(upstream) == [turn("user", "Hi"), *([turn("user", "What now?")] if following else [])]
    assert "tools" not in upstream.chats[0].json
    assert get(server.url, f"/responses/{warm['id']}").status == (200 if store else 404)


def test_a_warm_up_is_checked_like_any_request(server: Serving, upstream: Upstream) -> None:
    with Socket(server.url) as socket:
        assert socket.error(generate=False, previous_response_id=MISSING) == not_found(MISSING)
        refused = socket.error(generate=False, tools=[{"type": "programmatic_tool_calling"}])
        assert refused["code"] == "unsupported_tool"
    assert upstream.chats == []
