"""`truncation` through the API: a backend reports a context that is too long, before or in its stream."""

from collections.abc import Callable

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import post
from tests.server.sockets import Socket
from tests.support.upstream import Answer, Upstream, chunk, reply, sse

TOO_LONG: JSONObject = {
    "error": {
        "message": "This model's maximum context length is 8 tokens.",
        "code": "context_length_exceeded",
    }
}
REFUSALS: dict[str, Answer] = {"before the stream": reply(TOO_LONG, status=400), "in it": sse(TOO_LONG)}
ANSWER = sse(chunk("Fine."), chunk(finish="stop"))
SEARCHED: JSONObject = {"type": "search", "query": "q", "queries": ["q"]}
CONTEXT: list[JSON] = [
    {"role": "user", "content": "Patch it."},
    {"type": "mcp_list_tools", "server_label": "s", "tools": []},
    {"type": "mcp_call", "server_label": "s", "name": "look", "arguments": "{}", "output": "a page"},
    {"type": "web_search_call", "status": "completed", "action": SEARCHED, "results": []},
    {"type": "reasoning", "summary": []},
    {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "+1"},
    {"type": "function_call", "call_id": "call_2", "name": "test", "arguments": "{}"},
    {"type": "custom_tool_call_output", "call_id": "call_1", "output": "patched"},
    {"type": "function_call_output", "call_id": "call_2", "output": "green"},
    {"role": "user", "content": "Thanks."},
]

Ask = Callable[[str, JSONObject], JSONObject]


def whole(url: str, body: JSONObject) -> JSONObject:
    answer = post(url, "/responses", body)
    found: JSONObject = answer.json if answer.status == 200 else {"error": answer.error}
    return found


def streamed(url: str, body: JSONObject) -> JSONObject:
    return post(url, "/responses", body | {"stream": True}).last


def over_websocket(url: str, body: JSONObject) -> JSONObject:
    with Socket(url) as socket:
        response: JSONObject = socket.ask(**body)[-1]["response"]
        return response


@pytest.fixture(params=[whole, streamed, over_websocket])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


def calls_and_answers(messages: list[JSONObject]) -> tuple[list[str], list[str]]:
    """Return the ids of the calls that a model receives, and of the calls whose outputs it receives."""
    calls = [call["id"] for message in messages for call in message.get("tool_calls", [])]
    return sorted(calls), sorted(message["tool_call_id"] for message in messages if message["role"] == "tool")


@pytest.mark.parametrize("refusal", REFUSALS)
def test_auto_omits_the_beginning_until_the_context_fits(
    url: str, upstream: Upstream, ask: Ask, refusal: str
) -> None:
    upstream.script(*[REFUSALS[refusal]] * 3, ANSWER)
    response = ask(url, {"model": "up/m", "input": CONTEXT, "truncation": "auto"})
    assert (response["status"], response["truncation"]) == ("completed", "auto")
    told = [request.json["messages"] for request in upstream.chats]
    assert [len(messages) for messages in told] == sorted({len(messages) for messages in told}, reverse=True)
    for messages in told:
        calls, answers = calls_and_answers(messages)
        assert calls == answers
    assert told[-1] == [{"role": "user", "content": "Thanks."}]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("truncation", ["disabled", None])
def test_without_it_the_response_fails(
    url: str, upstream: Upstream, ask: Ask, refusal: str, truncation: str | None
) -> None:
    upstream.script(REFUSALS[refusal])
    response = ask(url, {"model": "up/m", "input": CONTEXT, "truncation": truncation})
    assert response["error"]["code"] == "context_length_exceeded"
    assert len(upstream.chats) == 1


def test_what_does_not_fit_even_alone_fails(url: str, upstream: Upstream, ask: Ask) -> None:
    upstream.script(REFUSALS["in it"])
    response = ask(url, {"model": "up/m", "input": CONTEXT, "truncation": "auto"})
    assert response["error"]["code"] == "context_length_exceeded"


def test_what_has_been_said_stays_though_the_context_overflows_then(
    url: str, upstream: Upstream, ask: Ask
) -> None:
    upstream.script(sse(chunk("I see"), TOO_LONG))
    response = ask(url, {"model": "up/m", "input": CONTEXT, "truncation": "auto"})
    assert response["error"]["code"] == "context_length_exceeded"
    assert len(upstream.chats) == 1
