"""Translation of the tool choice: the functions that the model may or must call."""

from collections.abc import Container, Sequence

import msgspec

from antiphon.engine.reply.tool_calls import ToolNames
from antiphon.engine.request.functions import Functions, tool_type
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatTool
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import (
    AllowedToolsChoice,
    CustomChoice,
    FunctionChoice,
    McpChoice,
    Tool,
    ToolChoice,
)

_WEB_SEARCH = "web_search"


class Chosen(msgspec.Struct, frozen=True):
    """The tools and the tool choice of a model call."""

    tools: Sequence[ChatTool]
    """The tools that the model may call."""
    choice: str | JSONObject | None
    """The chat `tool_choice`; None if the client sent none."""
    later_tools: Sequence[ChatTool]
    """The tools that the model may call after the required call."""
    only: str | None = None
    """The name of the only tool that satisfies the choice, if the model must call it."""


NO_CHOICE = Chosen((), None, ())
"""The choice of all requests without tools and without a `tool_choice`."""


def choose(
    choice: ToolChoice | None, tools: list[Tool], functions: Functions, capabilities: Capabilities
) -> Chosen:
    """Translate a choice among the functions of `tools`.

    Raises:
        InvalidRequest: The choice isn't among the tools (text recorded at api.openai.com).
    """
    every = list(functions.tools.values())
    if choice is None or isinstance(choice, str):
        if choice == "required" and not every:
            raise _not_found("required")
        only = next(iter(functions.tools)) if choice == "required" and len(every) == 1 else None
        return Chosen(every, choice if every else None, every, only)
    if isinstance(choice, AllowedToolsChoice):
        names = _allowed(choice, tools, functions)
        kept = _kept(functions, names)
        only = next(iter(names)) if choice.mode == "required" and len(names) == 1 else None
        return Chosen(kept, choice.mode if kept else None, kept, only)
    chosen = _chosen(choice, functions)
    only = chosen[0] if len(chosen) == 1 else None
    if only is None or not capabilities.named_tool_choice:
        return Chosen(_kept(functions, chosen), "required", every, only)
    kind = functions.tools[only]["type"]
    return Chosen(every, {"type": kind, kind: {"name": only}}, every, only)


def _kept(functions: Functions, names: Container[str]) -> list[ChatTool]:
    return [tool for name, tool in functions.tools.items() if name in names]


def _chosen(choice: ToolChoice, functions: Functions) -> list[str]:
    """Return the backend's names of the functions, one of which the model must call."""
    if isinstance(choice, FunctionChoice | CustomChoice):
        kind = "custom" if isinstance(choice, CustomChoice) else "function"
        possible = _backend_names(choice.name, functions.names)
        names = [name for name in _own(functions, kind) if name in possible][:1]
    elif isinstance(choice, McpChoice):
        kind = "mcp"
        names = _of_server(functions, choice.server_label, choice.name)
    else:
        assert not isinstance(choice, str)
        kind = str(choice.__struct_config__.tag)
        names = _of_kind(functions, kind)
    if not names:
        raise _not_found(kind)
    return names


def _own(functions: Functions, kind: str) -> list[str]:
    """Return the client's own tools: those with text input or those with arguments."""
    return [
        name
        for name in functions.tools
        if name not in functions.hosted
        and name not in functions.client
        and (name in functions.custom) == (kind == "custom")
    ]


def _of_kind(functions: Functions, kind: str) -> list[str]:
    """Return the functions of a built-in tool's type; types of web search are equal."""
    same = _WEB_SEARCH if kind.startswith(_WEB_SEARCH) else kind
    hosted = [
        name
        for name, its in functions.hosted.items()
        if its.kind == kind or (same == _WEB_SEARCH and its.kind.startswith(same))
    ]
    return hosted + [name for name, its in functions.client.items() if kind in its.kind.choices]


def _of_server(functions: Functions, label: str, name: object) -> list[str]:
    """Return the functions of an MCP server, or only the one with the name."""
    return [
        backend_name
        for backend_name, its in functions.hosted.items()
        if its.kind == "mcp" and its.owner == label and name in (None, msgspec.UNSET, its.name)
    ]


def _allowed(choice: AllowedToolsChoice, tools: list[Tool], functions: Functions) -> set[str]:
    """Return the backend's names of the functions that the choice allows."""
    types = {tool_type(tool) for tool in tools}
    allowed: set[str] = set()
    for position, entry in enumerate(choice.tools):
        place = f"tool_choice.tools[{position}]"
        kind = _string(entry.get("type"), f"{place}.type")
        name = _string(entry.get("name", ""), f"{place}.name")
        if kind == "mcp":
            label = _string(entry.get("server_label", ""), f"{place}.server_label")
            found = set(_of_server(functions, label, name or None))
        elif kind == "namespace":
            found = {flat for flat, (space, _) in functions.names.items() if space == name}
        elif kind in ("function", "custom"):
            found = set(_backend_names(name, functions.names)) & set(_own(functions, kind))
        else:
            found = set(_of_kind(functions, kind))
        if not found and (kind in ("function", "custom", "namespace", "mcp") or kind not in types):
            raise _not_found(kind)
        allowed |= found
    return allowed


def _backend_names(name: str, names: ToolNames) -> list[str]:
    """Return a function's own name, then its flat names in namespaces."""
    return [name, *(flat for flat, (_, inner) in names.items() if inner == name)]


def _not_found(kind: str) -> InvalidRequest:
    return InvalidRequest(f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice")


def _string(value: JSON, param: str) -> str:
    if isinstance(value, str):
        return value
    raise InvalidRequest(f"Invalid type for '{param}': expected a string.", code="invalid_type", param=param)
