"""The search by the server among the tools of a request."""

import msgspec
import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.tools.context import Deferred
from antiphon.tools.tool_search.tool import HostedSearch, SearchCall
from antiphon.wire.chat import ChatTool
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import Tool
from tests.engine.replies import as_wire, counted_ids
from tests.support.immediate import at_once

WEATHER: JSONObject = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather",
    "defer_loading": True,
}
CRM: JSONObject = {
    "type": "namespace",
    "name": "crm",
    "description": "Customers and orders",
    "tools": [
        {"type": "function", "name": "list_orders", "defer_loading": True},
        {"type": "custom", "name": "query", "description": "Ask for customers", "defer_loading": True},
        {"type": "function", "name": "help"},
    ],
}
DOCS: JSONObject = {
    "type": "mcp",
    "server_label": "docs",
    "server_url": "https://docs.example/mcp?key=secret",
    "server_description": "Manuals",
    "defer_loading": True,
}
LISTED: list[ChatTool] = [
    {"type": "function", "function": {"name": "read_manual", "description": "Read a manual"}},
    {"type": "function", "function": {"name": "write_manual", "description": "Write a manual"}},
]


def deferred(*tools: JSONObject) -> Deferred:
    converted: list[Tool] = msgspec.convert(list(tools), list[Tool])
    return Deferred(tools=converted, servers={"docs": lambda: LISTED})


def search(arguments: str, *tools: JSONObject) -> tuple[JSONObject, list[JSONObject]]:
    """Return the call and the tools that it found."""
    hosted = HostedSearch(0, deferred(*tools), counted_ids())
    call = hosted.call("tool_search", arguments)
    at_once(call.run())
    [output] = as_wire(call.following)
    return as_wire([call.item])[0], output["tools"]


def found(query: str) -> list[JSONObject]:
    return search(msgspec.json.encode({"query": query}).decode(), WEATHER, CRM, DOCS)[1]


def test_the_description_names_what_a_search_can_find() -> None:
    [tool] = HostedSearch(
        0, deferred(WEATHER, CRM, DOCS, {"type": "web_search"}), RequestContext().ids
    ).functions()
    text = tool["function"]["description"]
    assert text.splitlines()[1:] == [
        "crm: Customers and orders",
        "docs: Manuals",
        "Functions: get_weather",
    ]


def test_the_description_is_bounded() -> None:
    many = [WEATHER | {"name": f"f{number}"} for number in range(500)]
    long = CRM | {"description": "x" * 10_000}
    [tool] = HostedSearch(0, deferred(long, *many), RequestContext().ids).functions()
    text = tool["function"]["description"]
    assert len(text) < 1500
    assert text.endswith(", ...")


def test_a_function_is_found_as_the_request_declares_it() -> None:
    assert found("weather") == [WEATHER | {"parameters": None, "strict": True}]


def test_a_namespace_has_only_the_functions_that_were_found() -> None:
    [tool] = found("list orders")
    assert (tool["type"], tool["name"]) == ("namespace", "crm")
    assert [each["name"] for each in tool["tools"]] == ["list_orders", "query"]
    assert [each["name"] for each in found("ask")[0]["tools"]] == ["query"]


def test_functions_of_an_mcp_server_are_its_allowed_tools_and_its_url_is_hidden() -> None:
    [tool] = found("read")
    assert (tool["server_label"], tool["allowed_tools"]) == ("docs", ["read_manual"])
    assert "secret" not in str(tool)


def test_nothing_is_found() -> None:
    assert found("physics") == []


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"paths": ["get_weather"]}', {"paths": ["get_weather"]}),
        ('{"query": 1, "words": "weather"}', {"query": 1, "words": "weather"}),
        ("weather", {}),
        ("", {}),
        ("[1]", {}),
    ],
)
def test_arguments_of_any_form(arguments: str, given: JSON) -> None:
    call, tools = search(arguments, WEATHER)
    assert call["arguments"] == given
    assert bool(tools) is bool(given)


def test_the_events_are_those_of_api_openai_com() -> None:
    call = SearchCall({"query": "weather"}, deferred(WEATHER), counted_ids())
    opening = as_wire(call.opening(0))
    at_once(call.run())
    events = opening + as_wire(call.closing(0))
    assert [(event["type"], event["output_index"], event["item"]["status"]) for event in events] == [
        ("response.output_item.added", 0, "in_progress"),
        ("response.output_item.done", 0, "completed"),
        ("response.output_item.added", 1, "in_progress"),
        ("response.output_item.done", 1, "completed"),
    ]
    assert events[0]["item"]["arguments"] == {}
    assert events[1]["item"]["call_id"] is None
    assert events[2]["item"]["tools"] == events[3]["item"]["tools"] != []
