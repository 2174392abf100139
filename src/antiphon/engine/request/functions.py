"""Tools as functions, which is all that a chat backend understands. Pure."""

import hashlib
import re
from collections.abc import Container, Iterator, Mapping
from functools import cached_property
from itertools import count

import msgspec

from antiphon.engine.hosted.run import Offered
from antiphon.engine.reply.grammar import Grammar
from antiphon.engine.reply.tool_calls import KnownTools, ToolNames
from antiphon.engine.request.custom_tools import as_function, grammar_of, native_tool
from antiphon.errors import InvalidRequest
from antiphon.settings.schema import Capabilities
from antiphon.wire.chat import ChatFunction, ChatTool
from antiphon.wire.tools import CustomTool, FunctionTool, McpTool, NamespaceTool, Tool, WebSearchTool

MAX_NAME = 64
"""Longest function name that api.openai.com takes in a chat completion."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
"""What MCP allows in the name of a tool, and api.openai.com does not in the name of a function."""

Renamed = Mapping[tuple[str, str], str]
"""Functions of hosted tools that go out under another name: owner (`hosted.Told`) and name to that name."""


class HostedFunction(msgspec.Struct, frozen=True):
    """A function of a hosted tool."""

    position: int
    """Where the tool stands in the request."""
    kind: str
    """The tool's type."""
    owner: str
    """The label of an MCP server, else the function's own name."""
    name: str
    """The function's own name."""


class Functions(msgspec.Struct, frozen=True, dict=True):
    """Every function that a request's tools come to, in order, by the name that the backend knows."""

    tools: dict[str, ChatTool]
    names: ToolNames
    """Names that differ between client and backend: the backend's to (namespace, name)."""
    hosted: dict[str, HostedFunction]
    """Those that run here."""
    custom: dict[str, CustomTool]
    """Those that take text."""
    grammars: dict[str, Grammar]
    """What the inputs of custom tools must match where the backend does not see to it."""

    @cached_property
    def known(self) -> KnownTools:
        """What is needed to read the model's calls."""
        custom = {name: self.grammars.get(name) for name in self.custom}
        return KnownTools(names=self.names, hosted=self.hosted.keys(), custom=custom)

    @cached_property
    def renamed(self) -> Renamed:
        """The functions of hosted tools that the backend knows under another name."""
        return {(its.owner, its.name): name for name, its in self.hosted.items() if name != its.name}


NO_FUNCTIONS = Functions({}, {}, {}, {}, {})
"""Those of all requests without tools; never changed."""


def translate_tools(tools: list[Tool], capabilities: Capabilities, offered: Offered) -> Functions:
    """Flattens tools into chat functions.

    Raises `InvalidRequest` for tools that no chat backend can be given.
    """
    if not tools:
        return NO_FUNCTIONS
    functions = Functions({}, {}, {}, {}, {})
    taken = _own_names(tools) if offered else frozenset()
    for position, tool in enumerate(tools):
        place = f"tools[{position}]"
        if isinstance(tool, FunctionTool | CustomTool):
            _add(functions, tool, tool.name, place, capabilities)
        elif isinstance(tool, NamespaceTool):
            for inner, function in enumerate(tool.tools):
                name = flat_name(tool.name, function.name)
                functions.names[name] = (tool.name, function.name)
                _add(functions, function, name, f"{place}.tools[{inner}]", capabilities)
        elif position in offered:
            for chat_tool in offered[position]:
                _add_hosted(functions, position, tool, chat_tool, taken)
        elif not is_switched_off(tool):
            raise _unsupported(place, tool_type(tool))
    return functions


def is_switched_off(tool: Tool) -> bool:
    """Whether a hosted tool asks to do nothing: web search without access to the web.

    Codex CLI sends this with every request; such a tool is left out.
    """
    return isinstance(tool, WebSearchTool) and tool.external_web_access is False


def tool_type(tool: Tool) -> str:
    """Returns the tool's `type` on the wire."""
    return str(tool.__struct_config__.tag)


def hosted_name(owner: str, name: str) -> str:
    """Returns the name under which a backend takes a hosted function that the request does not offer."""
    return next(_possible_names(owner, name))


def flat_name(namespace: str, name: str) -> str:
    """Returns the one name under which a backend knows a function of a namespace; at most 64 characters."""
    flat = f"{namespace}__{name}"
    if len(flat) <= MAX_NAME:
        return flat
    digest = hashlib.sha256(flat.encode()).hexdigest()[:8]
    return f"{flat[: MAX_NAME - 9]}_{digest}"


def _own_names(tools: list[Tool]) -> frozenset[str]:
    """The names of the functions that the caller runs: a hosted one never takes the name of such a one."""
    spaces = [tool for tool in tools if isinstance(tool, NamespaceTool)]
    inner = {flat_name(space.name, tool.name) for space in spaces for tool in space.tools}
    return frozenset(inner | {tool.name for tool in tools if isinstance(tool, FunctionTool | CustomTool)})


def _add(
    functions: Functions, tool: FunctionTool | CustomTool, name: str, place: str, capabilities: Capabilities
) -> None:
    if name in functions.tools:
        param = f"{place}.name"
        raise InvalidRequest(
            f"Invalid '{param}': two tools have the name '{name}'. Tool names must be unique.",
            code="invalid_value",
            param=param,
        )
    if isinstance(tool, CustomTool):
        functions.custom[name] = tool
        if capabilities.custom_tools:
            functions.tools[name] = native_tool(tool, name)
        else:
            functions.tools[name] = as_function(tool, name)
            if (grammar := grammar_of(tool, place)) is not None:
                functions.grammars[name] = grammar
        return
    function: ChatFunction = {"name": name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    if capabilities.strict_tools and isinstance(tool.strict, bool):
        function["strict"] = tool.strict
    functions.tools[name] = {"type": "function", "function": function}


def _add_hosted(
    functions: Functions, position: int, tool: Tool, chat_tool: ChatTool, own: Container[str]
) -> None:
    own_name = chat_tool["function"]["name"]
    owner = tool.server_label if isinstance(tool, McpTool) else own_name
    name = next(
        name for name in _possible_names(owner, own_name) if name not in own and name not in functions.tools
    )
    functions.hosted[name] = HostedFunction(position, tool_type(tool), owner, own_name)
    functions.tools[name] = {"type": "function", "function": {**chat_tool["function"], "name": name}}


def _possible_names(owner: str, name: str) -> Iterator[str]:
    """The name, if a backend takes it, then others that tell whose it is."""
    name = _NOT_IN_NAMES.sub("_", name)
    if len(name) <= MAX_NAME:
        yield name
    flat = flat_name(_NOT_IN_NAMES.sub("_", owner), name)
    yield flat
    for number in count(2):
        yield flat_name(flat, str(number))


def _unsupported(place: str, kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{place}': tools of type '{kind}' are not supported by this server.",
        code="unsupported_tool",
        param=place,
    )
