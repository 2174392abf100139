"""Tools that a model has: those of the request and of its context, without those still to be searched for."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from antiphon.wire.items import AdditionalTools, Item, ToolSearchOutput
from antiphon.wire.json import JSON
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tools import (
    AllowedToolsChoice,
    CustomChoice,
    CustomTool,
    FunctionChoice,
    FunctionTool,
    McpChoice,
    McpTool,
    NamespaceTool,
    Tool,
    ToolChoice,
    ToolSearchTool,
)

Key = tuple[str, str]
"""The namespace of a function, or the label of its MCP server, and its name; no namespace is empty."""


def with_added_tools(request: CreateResponse, items: Sequence[Item]) -> CreateResponse:
    """Return a request with the tools that only items of its context declare."""
    declared = [tool for item in items if _declares(item) for tool in _tools_in(item)]
    if not declared:
        return request
    tools = list(request.tools or ())
    known = {key for tool in tools for key in _identities(tool)}
    for tool in declared:
        if isinstance(tool, NamespaceTool):
            inner = [each for each in tool.tools if (tool.name, each.name) not in known]
            tool = msgspec.structs.replace(tool, tools=inner)
        new = set(_identities(tool)) - known
        if new:
            known |= new
            tools.append(tool)
    return msgspec.structs.replace(request, tools=tools)


def loaded_in(request: CreateResponse, items: Iterable[Item]) -> frozenset[Key] | None:
    """Return the functions that items of a context declare or have found, or that the tool choice names.

    Without a search among the tools, no function can be found: None, and the model has all of them.
    """
    tools = request.tools or ()
    if not any(isinstance(tool, ToolSearchTool) for tool in tools):
        return None
    found = (key for item in items for tool in _tools_in(item) for key in keys_of(tool))
    return frozenset([*found, *_named_by(request.tool_choice, tools)])


def keys_of(tool: Tool) -> Iterator[Key]:
    """Yield the keys of a tool's functions; of an MCP server, those of its list of allowed names."""
    if isinstance(tool, FunctionTool | CustomTool):
        yield "", tool.name
    elif isinstance(tool, NamespaceTool):
        yield from ((tool.name, each.name) for each in tool.tools)
    elif isinstance(tool, McpTool) and isinstance(tool.allowed_tools, list):
        yield from ((tool.server_label, name) for name in tool.allowed_tools)


def _named_by(choice: ToolChoice | None, tools: Iterable[Tool]) -> Iterator[Key]:
    """Yield the keys of the functions that a tool choice names, which a search needn't find."""
    names: list[JSON] = []
    if isinstance(choice, FunctionChoice | CustomChoice):
        names = [choice.name]
    elif isinstance(choice, AllowedToolsChoice):
        names = [entry.get("name") for entry in choice.tools if entry.get("type") in ("function", "custom")]
    elif isinstance(choice, McpChoice) and isinstance(choice.name, str):
        yield choice.server_label, choice.name
    for tool in tools if names else ():
        if isinstance(tool, FunctionTool | CustomTool | NamespaceTool):
            yield from (key for key in keys_of(tool) if key[1] in names)


def _declares(item: Item) -> bool:
    """Return whether an item declares tools; a search by the server finds only those of its request."""
    return isinstance(item, AdditionalTools) or (
        isinstance(item, ToolSearchOutput) and item.execution == "client"
    )


def _tools_in(item: Item) -> Sequence[Tool]:
    return item.tools if isinstance(item, AdditionalTools | ToolSearchOutput) else ()


def _identities(tool: Tool) -> Iterator[Key]:
    """Yield what makes a tool another one: the names of functions, or its type or server."""
    if isinstance(tool, McpTool):
        yield "mcp", tool.server_label
    elif isinstance(tool, FunctionTool | CustomTool | NamespaceTool):
        yield from keys_of(tool)
    else:
        yield str(tool.__struct_config__.tag), ""
