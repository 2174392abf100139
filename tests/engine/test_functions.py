import pytest

from antiphon.config import Capabilities
from antiphon.engine.choices import Chosen, choose
from antiphon.engine.functions import flat_name, translate_tools
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import (
    AllowedToolsChoice,
    CodeInterpreterTool,
    CustomTool,
    FileSearchTool,
    FunctionChoice,
    FunctionTool,
    McpChoice,
    NamespaceTool,
    Tool,
    ToolChoice,
    WebSearchChoice,
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
    return [tool["function"]["name"] for tool in functions.tools]


def refusal_of(tools: list[Tool], choice: ToolChoice | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        translated(tools, choice)
    return caught.value


def test_a_function_with_all_it_has() -> None:
    parameters: JSONObject = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = FunctionTool(name="f", description="Looks.", parameters=parameters, strict=True)
    function = {"name": "f", "description": "Looks.", "parameters": parameters, "strict": True}
    assert translated([tool]).tools == [{"type": "function", "function": function}]


def test_what_a_function_leaves_out_is_left_out() -> None:
    tool = FunctionTool(name="f", description=None, parameters=None, strict=None)
    assert translated([tool]).tools == [{"type": "function", "function": {"name": "f"}}]


def test_strict_is_left_out_where_the_backend_does_not_know_it() -> None:
    tool = FunctionTool(name="f", strict=True)
    functions = translated([tool], None, Capabilities(strict_tools=False))
    assert functions.tools == [{"type": "function", "function": {"name": "f"}}]


def test_namespaces_become_functions_and_can_be_given_back() -> None:
    functions = translate_tools([F, CRM], ALL, {})
    assert list(functions.tools) == ["f", "crm__find", "crm__store"]
    assert functions.names == {"crm__find": ("crm", "find"), "crm__store": ("crm", "store")}


def test_flat_names_are_short_enough_and_differ() -> None:
    one, other = flat_name("n" * 60, "find"), flat_name("n" * 60, "fund")
    assert len(one) == len(other) == 64
    assert one != other
    assert flat_name("n" * 60, "find") == one
    assert flat_name("n" * 58, "find") == "n" * 58 + "__find"


def test_B12_duplicate_function_names() -> None:
    error = refusal_of([F, G, F])
    assert (error.param, error.code) == ("tools[2].name", "invalid_value")
    assert "two tools have the name 'f'" in error.message


def test_a_function_with_the_name_of_one_in_a_namespace() -> None:
    error = refusal_of([FunctionTool(name="crm__find"), CRM])
    assert error.param == "tools[1].tools[0].name"


def test_functions_of_one_name_in_two_namespaces() -> None:
    other = NamespaceTool(name="shop", tools=[FunctionTool(name="find")])
    assert names(translated([CRM, other])) == ["crm__find", "crm__store", "shop__find"]


@pytest.mark.parametrize(
    ("tool", "param", "kind"),
    [
        (CodeInterpreterTool(container="auto"), "tools[1]", "code_interpreter"),
        (FileSearchTool(vector_store_ids=[]), "tools[1]", "file_search"),
        (WebSearchTool(), "tools[1]", "web_search"),
        (CustomTool(name="c"), "tools[1]", "custom"),
        (NamespaceTool(name="n", tools=[F, CustomTool(name="c")]), "tools[1].tools[1]", "custom"),
    ],
)
def test_tools_that_cannot_run_are_refused_by_name(tool: Tool, param: str, kind: str) -> None:
    error = refusal_of([F, tool])
    assert (error.param, error.code) == (param, "unsupported_tool")
    assert f"tools of type '{kind}' are not supported" in error.message


def test_a_web_search_that_is_switched_off_is_left_out() -> None:
    assert names(translated([WebSearchTool(external_web_access=False), F])) == ["f"]


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
