"""Translation of tools into chat functions."""

import hashlib
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import Never

import msgspec

from antiphon.engine.client.kinds import ClientFunction, ClientFunctions, kind_of_tool
from antiphon.engine.hosted.run import Offered
from antiphon.engine.reply.grammar import Grammar
from antiphon.engine.reply.tool_calls import KnownTools, ToolNames
from antiphon.engine.request.available import Key
from antiphon.engine.request.custom_tools import as_function, grammar_of, native_tool
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatFunction, ChatTool
from antiphon.wire.tools import CustomTool, FunctionTool, McpTool, NamespaceTool, Tool, WebSearchTool

MAX_NAME = 64
"""The longest function name that api.openai.com accepts in a chat completion."""
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
"""Characters that MCP allows in tool names but api.openai.com not in functions."""

SUPPORTED_TOOLS = (
    "'function', 'custom', 'namespace', 'web_search', 'file_search', 'code_interpreter', 'mcp', "
    "'image_generation', 'tool_search', 'shell', 'local_shell', 'apply_patch', 'computer' or "
    "'computer_use_preview'"
)
"""Types of tools in messages; a test compares them with the tables of tools."""

Renamed = Mapping[tuple[str, str], str]
"""Maps (owner, name) of a renamed hosted function to its name at the backend."""


class HostedFunction(msgspec.Struct, frozen=True):
    """A function of a hosted tool."""

    position: int
    """The index of the tool in the request."""
    kind: str
    """The type of the tool."""
    owner: str
    """The label of an MCP server, or else the function's own name."""
    name: str
    """The function's own name."""


class Functions(msgspec.Struct, frozen=True, dict=True):
    """All functions of a request's tools in order, by their names at the backend."""

    tools: Mapping[str, ChatTool]
    """The tools for the chat request."""
    names: ToolNames
    """The (namespace, name) of each function that has another name at the backend."""
    hosted: Mapping[str, HostedFunction]
    """The functions that the server itself runs."""
    custom: Mapping[str, CustomTool]
    """The custom tools, whose input is text."""
    grammars: Mapping[str, Grammar]
    """The grammars of custom tools that the backend doesn't enforce."""
    client: ClientFunctions
    """The built-in tools that the client runs."""
    asynchronous: Container[str] = frozenset()
    """The client's tools whose calls the model does not wait for."""

    @cached_property
    def known(self) -> KnownTools:
        """The tools in the form that parsing the model's calls needs."""
        custom = {name: self.grammars.get(name) for name in self.custom}
        return KnownTools(
            names=self.names,
            hosted=self.hosted.keys(),
            custom=custom,
            client=self.client,
            asynchronous=self.asynchronous,
        )

    @cached_property
    def renamed(self) -> Renamed:
        """The hosted functions and built-in tools that have another name at the backend."""
        hosted = {(its.owner, its.name): name for name, its in self.hosted.items() if name != its.name}
        client = {(its.kind.name, its.kind.name): name for name, its in self.client.items()}
        return hosted | client


_NONE: Mapping[str, Never] = MappingProxyType({})
NO_FUNCTIONS = Functions(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE)
"""The functions of all requests without tools."""


@dataclass
class _Tables:
    """The tables of `Functions` while tools are added."""

    tools: dict[str, ChatTool] = field(default_factory=dict)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    hosted: dict[str, HostedFunction] = field(default_factory=dict)
    custom: dict[str, CustomTool] = field(default_factory=dict)
    grammars: dict[str, Grammar] = field(default_factory=dict)
    client: dict[str, ClientFunction] = field(default_factory=dict)
    asynchronous: set[str] = field(default_factory=set)


def translate_tools(
    tools: list[Tool], capabilities: Capabilities, offered: Offered, loaded: Container[Key] | None = None
) -> Functions:
    """Translate tools into chat functions.

    Args:
        tools: The tools of the request.
        capabilities: The features of the backend.
        offered: The functions of hosted tools.
        loaded: The deferred functions that a search has found; None if the model has all functions.

    Raises:
        InvalidRequest: No chat backend supports a tool, or two tools have the same name.
    """
    functions = _Tables()
    taken = _own_names(tools)
    for position, tool in enumerate(tools):
        place = f"tools[{position}]"
        if isinstance(tool, FunctionTool | CustomTool):
            if not _waits(tool, ("", tool.name), loaded):
                if loaded is not None and tool.defer_loading is True:
                    functions.names[tool.name] = (tool.name, tool.name)  # As at api.openai.com.
                _add(functions, tool, tool.name, place, capabilities)
        elif isinstance(tool, NamespaceTool):
            for inner, function in enumerate(tool.tools):
                key = tool.name, function.name
                if not _waits(function, key, loaded):
                    name = flat_name(*key)
                    functions.names[name] = key
                    _add(functions, function, name, f"{place}.tools[{inner}]", capabilities)
        elif position in offered:
            for chat_tool in offered[position]:
                name = chat_tool["function"]["name"]
                if not (isinstance(tool, McpTool) and _waits(tool, (tool.server_label, name), loaded)):
                    _add_hosted(functions, position, tool, chat_tool, taken)
        elif not (is_switched_off(tool) or _add_built_in(functions, tool, place, taken)):
            raise _unsupported(place, tool_type(tool))
    return Functions(
        functions.tools,
        functions.names,
        functions.hosted,
        functions.custom,
        functions.grammars,
        functions.client,
        functions.asynchronous,
    )


def _waits(tool: FunctionTool | CustomTool | McpTool, key: Key, loaded: Container[Key] | None) -> bool:
    """Return whether the model doesn't have a function yet, because a search must find it first."""
    return loaded is not None and tool.defer_loading is True and key not in loaded


def is_switched_off(tool: Tool) -> bool:
    """Return whether a hosted tool has no effect.

    That is a web search without access to the web. Codex CLI sends one with every request; it is omitted.
    """
    return isinstance(tool, WebSearchTool) and tool.external_web_access is False


def tool_type(tool: Tool) -> str:
    """Return the tool's `type` on the wire."""
    return str(tool.__struct_config__.tag)


def hosted_name(owner: str, name: str) -> str:
    """Return a valid function name for a hosted function that isn't among the tools."""
    return next(_possible_names(owner, name))


def flat_name(namespace: str, name: str) -> str:
    """Return the backend's name, at most 64 characters, of a namespace's function."""
    flat = f"{namespace}__{name}"
    if len(flat) <= MAX_NAME:
        return flat
    digest = hashlib.sha256(flat.encode()).hexdigest()[:8]
    return f"{flat[: MAX_NAME - 9]}_{digest}"


def _own_names(tools: list[Tool]) -> frozenset[str]:
    """Return the names of the client's own functions, which hosted ones never take."""
    spaces = [tool for tool in tools if isinstance(tool, NamespaceTool)]
    inner = {flat_name(space.name, tool.name) for space in spaces for tool in space.tools}
    return frozenset(inner | {tool.name for tool in tools if isinstance(tool, FunctionTool | CustomTool)})


def _add(
    functions: _Tables, tool: FunctionTool | CustomTool, name: str, place: str, capabilities: Capabilities
) -> None:
    if name in functions.tools:
        raise _twice(f"{place}.name", name)
    if tool.is_async is True:
        functions.asynchronous.add(name)
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
    functions: _Tables, position: int, tool: Tool, chat_tool: ChatTool, own: Container[str]
) -> None:
    own_name = chat_tool["function"]["name"]
    owner = tool.server_label if isinstance(tool, McpTool) else own_name
    name = next(
        name for name in _possible_names(owner, own_name) if name not in own and name not in functions.tools
    )
    functions.hosted[name] = HostedFunction(position, tool_type(tool), owner, own_name)
    functions.tools[name] = {"type": "function", "function": {**chat_tool["function"], "name": name}}


def _add_built_in(functions: _Tables, tool: Tool, place: str, own: Container[str]) -> bool:
    """Add a built-in tool that the client runs; return False for any other tool."""
    kind = kind_of_tool(tool)
    function = None if kind is None else kind.function(tool, place)
    if kind is None or function is None:
        return False
    if any(its.kind is kind for its in functions.client.values()):
        raise _twice(f"{place}.type", tool_type(tool))
    name = next(
        name
        for name in _possible_names(kind.name, kind.name)
        if name not in own and name not in functions.tools
    )
    functions.client[name] = ClientFunction(kind, tool)
    functions.tools[name] = {"type": "function", "function": {**function, "name": name}}
    return True


def _possible_names(owner: str, name: str) -> Iterator[str]:
    """Yield the name, if it is valid, then others that include the owner."""
    name = _NOT_IN_NAMES.sub("_", name)
    if len(name) <= MAX_NAME:
        yield name
    flat = flat_name(_NOT_IN_NAMES.sub("_", owner), name)
    yield flat
    for number in count(2):
        yield flat_name(flat, str(number))


def _twice(param: str, name: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{param}': two tools have the name '{name}'. Tool names must be unique.",
        code="invalid_value",
        param=param,
    )


def _unsupported(place: str, kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{place}': tools of type '{kind}' are not supported by this server. Use {SUPPORTED_TOOLS}.",
        code="unsupported_tool",
        param=place,
    )
