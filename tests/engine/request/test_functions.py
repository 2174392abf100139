import re

import pytest

from antiphon.engine.hosted.run import Offered
from antiphon.engine.reply.grammar import Grammar
from antiphon.engine.request.functions import HostedFunction, flat_name, translate_tools
from antiphon.engine.request.tool_choice import Chosen, choose
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatTool
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import (
    CodeInterpreterTool,
    CustomGrammarFormat,
    CustomTool,
    FileSearchTool,
    FunctionTool,
    McpTool,
    NamespaceTool,
    Tool,
    ToolChoice,
    WebSearchTool,
)

ALL = Capabilities()
WITHOUT_CUSTOM = Capabilities(custom_tools=False)
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


def test_a_function_with_all_it_has() -> None:
    parameters: JSONObject = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = FunctionTool(name="f", description="Looks.", parameters=parameters, strict=True)
    function = {"name": "f", "description": "Looks.", "parameters": parameters, "strict": True}
    assert translated([tool]).tools == [{"type": "function", "function": function}]


def test_what_a_function_omits_is_omitted() -> None:
    tool = FunctionTool(name="f", description=None, parameters=None, strict=None)
    assert translated([tool]).tools == [{"type": "function", "function": {"name": "f"}}]


def test_strict_is_omitted_where_the_backend_does_not_know_it() -> None:
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
    ],
)
def test_tools_that_cannot_run_are_refused_by_name(tool: Tool, param: str, kind: str) -> None:
    error = refusal_of([F, tool])
    assert (error.param, error.code) == (param, "unsupported_tool")
    assert f"tools of type '{kind}' are not supported by this server. Use 'function', " in error.message


def test_custom_tools_as_the_backend_knows_them() -> None:
    tools: list[Tool] = [CustomTool(name="c"), NamespaceTool(name="n", tools=[F, CustomTool(name="d")])]
    native = translate_tools(tools, ALL, {})
    assert {name: tool["type"] for name, tool in native.tools.items()} == {
        "c": "custom",
        "n__f": "function",
        "n__d": "custom",
    }
    assert native.names["n__d"] == ("n", "d")
    assert set(native.known.custom) == {"c", "n__d"}
    functions = translate_tools(tools, WITHOUT_CUSTOM, {})
    assert {tool["type"] for tool in functions.tools.values()} == {"function"}
    assert functions.known.custom == {"c": None, "n__d": None}


def test_only_backends_without_custom_tools_need_the_server_to_check_a_grammar() -> None:
    broken = CustomTool(name="c", format=CustomGrammarFormat(syntax="regex", definition="("))
    assert translate_tools([broken], ALL, {}).known.custom == {"c": None}
    with pytest.raises(InvalidRequest) as caught:
        translate_tools([NamespaceTool(name="n", tools=[broken])], WITHOUT_CUSTOM, {})
    assert caught.value.param == "tools[0].tools[0].format.definition"
    sound = CustomTool(name="c", format=CustomGrammarFormat(syntax="regex", definition="a+"))
    assert isinstance(translate_tools([sound], WITHOUT_CUSTOM, {}).known.custom["c"], Grammar)


@pytest.mark.parametrize("capabilities", [ALL, WITHOUT_CUSTOM])
def test_a_custom_tool_and_a_function_cannot_have_one_name(capabilities: Capabilities) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translate_tools([F, CustomTool(name="f")], capabilities, {})
    assert (caught.value.param, caught.value.code) == ("tools[1].name", "invalid_value")


def test_a_hosted_function_never_takes_the_name_of_a_custom_tool() -> None:
    functions = translate_tools([McpTool(server_label="s"), CustomTool(name="look")], ALL, {0: [LOOK]})
    assert list(functions.tools) == ["s__look", "look"]


def test_a_web_search_that_is_switched_off_is_omitted() -> None:
    assert names(translated([WebSearchTool(external_web_access=False), F])) == ["f"]


LOOK: ChatTool = {"type": "function", "function": {"name": "look", "description": "Looks."}}
SERVERS: list[Tool] = [
    McpTool(server_label="one"),
    F,
    McpTool(server_label="two"),
    WebSearchTool(),
]
SEARCH: ChatTool = {"type": "function", "function": {"name": "web_search"}}
OFFERED: Offered = {0: [LOOK], 2: [LOOK, {"type": "function", "function": {"name": "f"}}], 3: [SEARCH]}


def test_functions_of_hosted_tools_stand_at_their_tools_place() -> None:
    functions = translate_tools(SERVERS, ALL, OFFERED)
    assert list(functions.tools) == ["look", "f", "two__look", "two__f", "web_search"]
    assert functions.tools["two__look"]["function"] == {"name": "two__look", "description": "Looks."}
    assert LOOK["function"]["name"] == "look"
    assert functions.hosted["two__look"] == HostedFunction(2, "mcp", "two", "look")
    assert functions.renamed == {("two", "look"): "two__look", ("two", "f"): "two__f"}


def test_a_hosted_function_never_takes_the_name_of_the_callers_own() -> None:
    tools: list[Tool] = [WebSearchTool(), FunctionTool(name="web_search"), CRM, McpTool(server_label="s")]
    find: ChatTool = {"type": "function", "function": {"name": "crm__find"}}
    functions = translate_tools(tools, ALL, {0: [SEARCH], 3: [find]})
    assert list(functions.tools) == [
        "web_search__web_search",
        "web_search",
        "crm__find",
        "crm__store",
        "s__crm__find",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("files/read.me", "files_read_me"),
        ("x" * 65, flat_name("my_server", "x" * 65)),
    ],
)
def test_names_that_no_backend_takes(name: str, expected: str) -> None:
    tool: ChatTool = {"type": "function", "function": {"name": name}}
    functions = translate_tools([McpTool(server_label="my server")], ALL, {0: [tool]})
    assert list(functions.tools) == [expected]
    assert functions.hosted[expected].name == name
    assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", expected)


def test_one_tool_twice() -> None:
    tools: list[Tool] = [WebSearchTool() for _ in range(4)]
    functions = translate_tools(tools, ALL, {place: [SEARCH] for place in range(4)})
    assert len(functions.tools) == 4
    assert list(functions.tools)[:2] == ["web_search", "web_search__web_search"]


def test_tools_that_nobody_runs_are_refused_beside_those_that_run() -> None:
    with pytest.raises(InvalidRequest) as caught:
        translate_tools(SERVERS, ALL, {0: [LOOK], 2: []})
    assert caught.value.param == "tools[3]"
