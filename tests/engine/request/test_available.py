"""Tools that a context adds to a request, and those that the model doesn't have yet."""

import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.request.available import loaded_in, with_added_tools
from antiphon.engine.request.functions import translate_tools
from antiphon.settings.backends import Capabilities
from antiphon.tools import registry as registry  # Registers the tools.
from antiphon.wire.chat import ChatTool
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject

SEARCH: JSONObject = {"type": "tool_search"}


def function(name: str, *, defer: bool = True) -> JSONObject:
    return {"type": "function", "name": name, "defer_loading": defer}


def space(*names: str) -> JSONObject:
    inner = [function(name) for name in names]
    return {"type": "namespace", "name": "crm", "description": "Customers", "tools": inner}


def items(*given: JSONObject) -> list[Item]:
    converted: list[Item] = msgspec.convert(list(given), list[Item])
    return converted


def found(*tools: JSONObject, execution: str = "server") -> JSONObject:
    return {"type": "tool_search_output", "execution": execution, "tools": [*tools]}


def added(tools: list[JSONObject] | None, *context: JSONObject) -> list[JSON]:
    """Return the tools of a request with those of its context."""
    request = create_response.decode(msgspec.json.encode({"model": "m", "input": "Hi", "tools": tools}))
    return [msgspec.to_builtins(tool) for tool in with_added_tools(request, items(*context)).tools or []]


def names(
    tools: list[JSONObject],
    *context: JSONObject,
    offered: dict[int, list[ChatTool]] | None = None,
    choice: JSON = None,
) -> list[str]:
    """Return the names of the functions that the model has."""
    body: JSONObject = {"model": "m", "input": "Hi", "tools": tools, "tool_choice": choice}
    request = create_response.decode(msgspec.json.encode(body))
    loaded = loaded_in(request, items(*context))
    return [*translate_tools(request.tools or [], Capabilities(), offered or {}, loaded).tools]


def test_additional_tools_and_tools_that_the_client_found_are_added_once() -> None:
    declared: JSONObject = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [function("f"), space("a")],
    }
    client = found(function("g"), space("a", "b"), {"type": "web_search"}, execution="client")
    tools = added([function("f")], declared, client, declared)
    assert [tool.get("name", tool["type"]) for tool in tools] == ["f", "crm", "g", "crm", "web_search"]
    assert [each["name"] for each in tools[3]["tools"]] == ["b"]


def test_a_request_without_tools_has_those_of_its_context() -> None:
    assert [tool["name"] for tool in added(None, found(function("f"), execution="client"))] == ["f"]


def test_tools_that_the_server_found_are_those_of_their_request_alone() -> None:
    assert added([], found(function("f"))) == []


def test_deferred_functions_wait_for_a_search() -> None:
    tools = [SEARCH | {"execution": "client"}, function("f"), function("g", defer=False), space("a", "b")]
    assert names(tools) == ["tool_search", "g"]
    assert names(tools, found(function("f"), space("b"))) == ["tool_search", "f", "g", "crm__b"]


def test_without_a_search_the_model_has_all_functions() -> None:
    assert names([function("f"), space("a")]) == ["f", "crm__a"]


def test_deferred_functions_of_an_mcp_server_wait_for_a_search() -> None:
    server: JSONObject = {"type": "mcp", "server_label": "docs", "defer_loading": True}
    offered: dict[int, list[ChatTool]] = {
        0: [{"type": "function", "function": {"name": "tool_search"}}],
        1: [{"type": "function", "function": {"name": name}} for name in ("read", "write")],
    }
    assert names([SEARCH, server], offered=offered) == ["tool_search"]
    one = found(server | {"allowed_tools": ["write"]})
    assert names([SEARCH, server], one, offered=offered) == ["tool_search", "write"]


@pytest.mark.parametrize(
    ("choice", "loaded"),
    [
        ({"type": "function", "name": "f"}, ["f"]),
        ({"type": "function", "name": "b"}, ["crm__b"]),
        ({"type": "mcp", "server_label": "docs", "name": "read"}, ["read"]),
        ({"type": "mcp", "server_label": "docs"}, []),
        ({"type": "function", "name": "absent"}, []),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]},
            ["g"],
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": ["g"]}]}, []),
        ("required", []),
    ],
)
def test_a_deferred_function_that_the_tool_choice_names_needs_no_search(
    choice: JSON, loaded: list[str]
) -> None:
    server: JSONObject = {"type": "mcp", "server_label": "docs", "defer_loading": True}
    tools = [SEARCH, function("f"), function("g"), space("a", "b"), server]
    offered: dict[int, list[ChatTool]] = {
        0: [{"type": "function", "function": {"name": "tool_search"}}],
        4: [{"type": "function", "function": {"name": name}} for name in ("read", "write")],
    }
    assert names(tools, offered=offered, choice=choice) == ["tool_search", *loaded]
