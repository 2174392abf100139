"""Searches for tools by the server and by the client, through OpenAI's SDK with strict validation."""

from collections.abc import Iterator

import pytest
from openai import OpenAI
from openai.types.responses import Response

from antiphon.wire.json import JSON
from tests.clients.replies import WEATHER, calls, says
from tests.support.serving import Serving
from tests.support.upstream import Upstream

DEFERRED: JSON = {**WEATHER, "defer_loading": True}
MAIL: JSON = {**WEATHER, "name": "send_mail", "description": "Sends mail.", "defer_loading": True}
CRM: JSON = {"type": "namespace", "name": "crm", "description": "Customers", "tools": [MAIL]}
SEARCH: JSON = {"type": "tool_search"}
CLIENT: JSON = {
    "type": "tool_search",
    "execution": "client",
    "description": "Find a tool",
    "parameters": {"type": "object", "properties": {"goal": {"type": "string"}}},
}


@pytest.fixture
def strict(server: Serving) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none", max_retries=0, _strict_response_validation=True) as made:
        yield made


def offered(upstream: Upstream, number: int) -> list[str]:
    """Return the names of the functions in a request to the backend."""
    return [tool["function"]["name"] for tool in upstream.chats[number].json["tools"]]


@pytest.mark.parametrize("stream", [False, True])
def test_the_server_searches(strict: OpenAI, upstream: Upstream, stream: bool) -> None:
    upstream.script(
        calls(("call_1", "tool_search", {"query": "weather"})),
        calls(("call_2", "get_weather", {"city": "Oslo"})),
        says("It is cold."),
    )
    tools: JSON = [DEFERRED, CRM, SEARCH]
    if stream:
        with strict.responses.stream(model="up/m", input="Is it cold in Oslo?", tools=tools) as events:
            for _ in events:
                pass
            first: Response = events.get_final_response()
    else:
        first = strict.responses.create(model="up/m", input="Is it cold in Oslo?", tools=tools)
    output: JSON = first.output
    assert [item.type for item in output] == ["tool_search_call", "tool_search_output", "function_call"]
    assert (output[0].execution, output[0].call_id, output[0].arguments) == (
        "server",
        None,
        {"query": "weather"},
    )
    assert [tool.name for tool in output[1].tools] == ["get_weather"]
    assert (output[2].name, output[2].namespace) == ("get_weather", "get_weather")
    assert first.tools[2].to_dict() == {"type": "tool_search", "description": None, "parameters": None}

    answer: JSON = {"type": "function_call_output", "call_id": "call_2", "output": "-5"}
    second = strict.responses.create(model="up/m", input=[answer], previous_response_id=first.id, tools=tools)
    assert second.output_text == "It is cold."
    assert [offered(upstream, number) for number in range(3)] == [
        ["tool_search"],
        ["get_weather", "tool_search"],
        ["get_weather", "tool_search"],
    ]
    messages = upstream.chats[2].json["messages"]
    assert [message["role"] for message in messages] == ["user", *("assistant", "tool") * 2]
    assert messages[2]["content"] == "Loaded tools: get_weather"
    assert messages[3]["tool_calls"][0]["function"]["name"] == "get_weather"
    if stream:
        types = [item.type for item in strict.responses.retrieve(first.id).output]
        assert types == ["tool_search_call", "tool_search_output", "function_call"]


def test_functions_of_a_namespace_are_found(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "tool_search", {"query": "send mail"})),
        calls(("call_2", "crm__send_mail", {"city": "Oslo"})),
    )
    first = strict.responses.create(model="up/m", input="Write.", tools=[DEFERRED, CRM, SEARCH])
    output: JSON = first.output
    assert (output[1].tools[0].type, output[2].name, output[2].namespace) == ("namespace", "send_mail", "crm")
    assert offered(upstream, 1) == ["crm__send_mail", "tool_search"]


def test_the_client_sends_a_search_of_the_server_back(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "tool_search", {"query": "weather"})), says("Which city?"), says("Cold.")
    )
    tools: JSON = [DEFERRED, SEARCH]
    asked: JSON = [{"role": "user", "content": "Is it cold?"}]
    first = strict.responses.create(model="up/m", input=asked, tools=tools, store=False)
    history: JSON = [*asked, *(item.to_dict() for item in first.output), {"role": "user", "content": "Oslo"}]
    assert strict.responses.create(model="up/m", input=history, tools=tools).output_text == "Cold."
    assert offered(upstream, 2) == ["get_weather", "tool_search"]


def test_the_client_searches(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "tool_search", {"goal": "weather"})),
        calls(("call_2", "get_weather", {"city": "Oslo"})),
        says("It is cold."),
    )
    first = strict.responses.create(model="up/m", input="Is it cold?", tools=[CLIENT])
    [call] = first.output
    assert call.to_dict() == {
        "type": "tool_search_call",
        "id": call.id,
        "status": "completed",
        "call_id": "call_1",
        "execution": "client",
        "arguments": {"goal": "weather"},
    }
    found: JSON = {
        "type": "tool_search_output",
        "call_id": "call_1",
        "execution": "client",
        "status": "completed",
        "tools": [DEFERRED],
    }
    second = strict.responses.create(
        model="up/m", input=[found], previous_response_id=first.id, tools=[CLIENT]
    )
    output: JSON = second.output
    assert (output[0].name, output[0].namespace) == ("get_weather", "get_weather")
    assert [tool.type for tool in second.tools] == ["tool_search"]
    answer: JSON = {"type": "function_call_output", "call_id": "call_2", "output": "-5"}
    third = strict.responses.create(
        model="up/m", input=[answer], previous_response_id=second.id, tools=[CLIENT]
    )
    assert third.output_text == "It is cold."
    assert [offered(upstream, number) for number in range(3)] == [
        ["tool_search"],
        *[["tool_search", "get_weather"]] * 2,
    ]
    assert upstream.chats[0].json["tools"][0]["function"]["description"] == "Find a tool"


def test_additional_tools_are_offered_from_their_place_on(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hi."), calls(("call_1", "get_weather", {"city": "Oslo"})))
    conversation = strict.conversations.create().id
    strict.responses.create(model="up/m", input="Hi", conversation=conversation)
    added: JSON = {"type": "additional_tools", "role": "developer", "tools": [WEATHER]}
    given: JSON = [added, {"role": "user", "content": "Is it cold in Oslo?"}]
    second = strict.responses.create(model="up/m", input=given, conversation=conversation)
    assert [item.type for item in second.output] == ["function_call"]
    assert "tools" not in upstream.chats[0].json
    assert offered(upstream, 1) == ["get_weather"]
    assert [message["role"] for message in upstream.chats[1].json["messages"]] == [
        "user",
        "assistant",
        "user",
    ]
    kept = [item.type for item in strict.conversations.items.list(conversation, order="asc")]
    assert kept == ["message", "message", "additional_tools", "message", "function_call"]


def test_tokens_of_deferred_tools_do_not_count(strict: OpenAI, upstream: Upstream) -> None:
    many: JSON = [{**DEFERRED, "name": f"f{number}", "description": "x" * 1000} for number in range(20)]
    plain: JSON = [{**tool, "defer_loading": False} for tool in many]
    few = strict.responses.input_tokens.count(model="up/m", input="Hi", tools=[SEARCH, *many]).input_tokens
    all_of_them = strict.responses.input_tokens.count(model="up/m", input="Hi", tools=plain).input_tokens
    assert few < all_of_them / 4
