from typing import Literal

import pytest

from antiphon.engine.hosted.run import Offered
from antiphon.engine.request.functions import translate_tools
from antiphon.engine.request.tool_choice import Chosen, choose
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatTool
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import (
    AllowedToolsChoice,
    CodeInterpreterChoice,
    CustomChoice,
    CustomTool,
    FunctionChoice,
    FunctionTool,
    McpChoice,
    McpTool,
    NamespaceTool,
    Tool,
    ToolChoice,
    WebSearchChoice,
    WebSearchPreviewChoice,
    WebSearchTool,
)

ALL = Capabilities()
F, G = FunctionTool(name="f"), FunctionTool(name="g")
CRM = NamespaceTool(name="crm", tools=[FunctionTool(name="find"), FunctionTool(name="store")])


def translated(
    tools: list[Tool], choice: ToolChoice | None = None, capabilities: Capabilities = ALL
) -> Chosen:
    functions = translate_tools(tools, capabilities, {})
    return choose(choice, tools, functions, capabilities)


def names(functions: Chosen) -> list[str]:
    return [
        tool["custom"]["name"] if tool["type"] == "custom" else tool["function"]["name"]
        for tool in functions.tools
    ]


def refusal_of(tools: list[Tool], choice: ToolChoice | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        translated(tools, choice)
    return caught.value


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_choices_by_word(choice: ToolChoice) -> None:
    assert translated([F], choice).choice == choice


def test_no_choice_is_no_choice() -> None:
    assert translated([F]).choice is None


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_without_tools_there_is_nothing_to_choose(choice: ToolChoice | None) -> None:
    assert translated([], choice) == Chosen([], None, [])


@pytest.mark.parametrize(("name", "flat"), [("f", "f"), ("find", "crm__find"), ("crm__find", "crm__find")])
def test_a_function_by_name(name: str, flat: str) -> None:
    functions = translated([F, CRM], FunctionChoice(name=name))
    assert functions.choice == {"type": "function", "function": {"name": flat}}
    assert names(functions) == ["f", "crm__find", "crm__store"]


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("required", "required"),
        (FunctionChoice(name="f"), "function"),
        (WebSearchChoice(), "web_search"),
        (McpChoice(server_label="s"), "mcp"),
        (AllowedToolsChoice(mode="auto", tools=[{"type": "function", "name": "f"}]), "function"),
        (AllowedToolsChoice(mode="auto", tools=[{"type": "web_search"}]), "web_search"),
    ],
)
def test_B16_tool_choice_names_absent_tool(choice: ToolChoice, kind: str) -> None:
    error = refusal_of([], choice)
    assert error.message == f"Tool choice '{kind}' not found in 'tools' parameter."
    assert (error.param, error.code) == ("tool_choice", None)


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ([{"type": "function", "name": "g"}], ["g"]),
        ([{"type": "function", "name": "g"}, {"type": "function", "name": "f"}], ["f", "g"]),
        ([{"type": "namespace", "name": "crm"}], ["crm__find", "crm__store"]),
        ([{"type": "function", "name": "store"}], ["crm__store"]),
        ([{"type": "web_search"}, {"type": "function", "name": "f"}], ["f"]),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools(entries: list[JSONObject], left: list[str], mode: JSON) -> None:
    tools: list[Tool] = [F, G, CRM, WebSearchTool(external_web_access=False)]
    functions = translated(tools, AllowedToolsChoice(mode=mode, tools=entries))
    assert (names(functions), functions.choice) == (left, mode)


def test_no_tool_allowed() -> None:
    functions = translated([F], AllowedToolsChoice(mode="auto", tools=[]))
    assert (functions.tools, functions.choice) == ([], None)


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"type": "function", "name": ["f"]}, "name"),
        ({"type": {}, "name": "f"}, "type"),
        ({"name": "f"}, "type"),
        ({"type": "namespace", "name": None}, "name"),
    ],
)
def test_allowed_tools_whose_names_are_no_strings(entry: JSONObject, key: str) -> None:
    error = refusal_of([F, CRM], AllowedToolsChoice(mode="auto", tools=[entry]))
    assert (error.param, error.code) == (f"tool_choice.tools[0].{key}", "invalid_type")


def test_a_backend_that_takes_no_named_choice_is_offered_that_function_alone() -> None:
    tools: list[Tool] = [FunctionTool(name="look"), FunctionTool(name="jump")]
    functions = translated(tools, FunctionChoice(name="jump"), Capabilities(named_tool_choice=False))
    assert [tool["function"]["name"] for tool in functions.tools] == ["jump"]
    assert functions.choice == "required"


LOOK: ChatTool = {"type": "function", "function": {"name": "look", "description": "Looks."}}
SERVERS: list[Tool] = [
    McpTool(server_label="one"),
    F,
    McpTool(server_label="two"),
    WebSearchTool(),
]
SEARCH: ChatTool = {"type": "function", "function": {"name": "web_search"}}
OFFERED: Offered = {0: [LOOK], 2: [LOOK, {"type": "function", "function": {"name": "f"}}], 3: [SEARCH]}


def hosted(choice: ToolChoice | None, capabilities: Capabilities = ALL) -> Chosen:
    return choose(choice, SERVERS, translate_tools(SERVERS, ALL, OFFERED), capabilities)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        (McpChoice(server_label="one"), "look"),
        (McpChoice(server_label="two", name="look"), "two__look"),
        (WebSearchChoice(), "web_search"),
        (WebSearchPreviewChoice(), "web_search"),
        (FunctionChoice(name="f"), "f"),
    ],
)
def test_a_choice_of_a_hosted_tool(choice: ToolChoice, name: str) -> None:
    chosen = hosted(choice)
    assert chosen.choice == {"type": "function", "function": {"name": name}}
    assert len(chosen.tools) == len(chosen.later_tools) == 5
    alone = hosted(choice, Capabilities(named_tool_choice=False))
    assert (names(alone), alone.choice, len(alone.later_tools)) == ([name], "required", 5)


def test_a_choice_of_a_server_with_several_tools() -> None:
    chosen = hosted(McpChoice(server_label="two"))
    assert (names(chosen), chosen.choice) == (["two__look", "two__f"], "required")
    assert len(chosen.later_tools) == 5


@pytest.mark.parametrize(
    "choice",
    [
        McpChoice(server_label="three"),
        McpChoice(server_label="one", name="jump"),
        FunctionChoice(name="look"),
        CodeInterpreterChoice(),
        AllowedToolsChoice(mode="auto", tools=[{"type": "mcp", "server_label": "three"}]),
    ],
)
def test_a_choice_of_a_hosted_tool_that_is_not_there(choice: ToolChoice) -> None:
    with pytest.raises(InvalidRequest, match="not found in 'tools' parameter"):
        hosted(choice)


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ({"type": "mcp", "server_label": "two"}, ["two__look", "two__f"]),
        ({"type": "mcp", "server_label": "two", "name": "f"}, ["two__f"]),
        ({"type": "web_search_preview"}, ["web_search"]),
        ({"type": "function", "name": "f"}, ["f"]),
    ],
)
def test_hosted_tools_that_are_allowed(entry: JSONObject, left: list[str]) -> None:
    chosen = hosted(AllowedToolsChoice(mode="required", tools=[entry]))
    assert (names(chosen), chosen.choice) == (left, "required")
    # `tools` lists the allowed tools, so later requests still have no others.
    assert chosen.later_tools == chosen.tools


C, D = CustomTool(name="c"), CustomTool(name="d")
FUNCTIONS_ONLY = Capabilities(custom_tools=False)


def test_a_custom_tool_that_has_to_be_called() -> None:
    chosen = translated([F, C, D], CustomChoice(name="d"))
    assert (chosen.choice, chosen.only) == ({"type": "custom", "custom": {"name": "d"}}, "d")
    chosen = translated([F, C, D], CustomChoice(name="d"), FUNCTIONS_ONLY)
    assert (chosen.choice, chosen.only) == ({"type": "function", "function": {"name": "d"}}, "d")


def test_a_custom_tool_of_a_namespace_that_has_to_be_called() -> None:
    space = NamespaceTool(name="crm", tools=[FunctionTool(name="find"), CustomTool(name="note")])
    chosen = translated([space], CustomChoice(name="note"))
    assert chosen.choice == {"type": "custom", "custom": {"name": "crm__note"}}


@pytest.mark.parametrize(
    ("choice", "kind"), [(CustomChoice(name="f"), "custom"), (FunctionChoice(name="c"), "function")]
)
def test_a_choice_of_the_other_kind_is_not_found(choice: ToolChoice, kind: str) -> None:
    error = refusal_of([F, C], choice)
    assert error.message == f"Tool choice '{kind}' not found in 'tools' parameter."


@pytest.mark.parametrize(("mode", "only"), [("auto", None), ("required", "d")])
def test_allowed_custom_tools(mode: Literal["auto", "required"], only: str | None) -> None:
    chosen = translated([F, C, D], AllowedToolsChoice(mode=mode, tools=[{"type": "custom", "name": "d"}]))
    assert names(chosen) == ["d"]
    assert (chosen.choice, chosen.only) == (mode, only)


@pytest.mark.parametrize("entry", [{"type": "custom", "name": "f"}, {"type": "function", "name": "c"}])
def test_an_allowed_tool_of_the_other_kind_is_not_found(entry: JSONObject) -> None:
    error = refusal_of([F, C], AllowedToolsChoice(mode="auto", tools=[entry]))
    assert error.param == "tool_choice"


@pytest.mark.parametrize(("tools", "only"), [([C], "c"), ([C, F], None)])
def test_required_means_the_only_tool_there_is(tools: list[Tool], only: str | None) -> None:
    assert translated(tools, "required").only == only
    assert translated(tools, "auto").only is None
