"""Tools and tool choices, as a chat backend understands them. Pure."""

import hashlib

import msgspec

from antiphon.config import Capabilities
from antiphon.engine.builders import ToolNames
from antiphon.errors import InvalidRequest
from antiphon.wire.chat import ChatFunction, ChatTool
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import (
    AllowedToolsChoice,
    CustomTool,
    FunctionChoice,
    FunctionTool,
    NamespaceTool,
    Tool,
    ToolChoice,
    WebSearchTool,
)

MAX_NAME = 64
"""Longest function name that api.openai.com takes in a chat completion."""


class Functions(msgspec.Struct, frozen=True):
    """What a request offers the model."""

    tools: list[ChatTool]
    names: ToolNames
    """Names that differ between client and backend: the backend's to (namespace, name)."""
    choice: str | JSONObject | None
    """The chat `tool_choice`; None where the client left it to the default."""


def translate_tools(tools: list[Tool], choice: ToolChoice | None, capabilities: Capabilities) -> Functions:
    """Flattens tools into chat functions and translates the choice among them.

    Raises `InvalidRequest` for tools that no chat backend can be given and for a choice that is not
    among the tools (text recorded at api.openai.com).
    """
    names: ToolNames = {}
    chat_tools: dict[str, ChatTool] = {}
    for position, tool in enumerate(tools):
        place = f"tools[{position}]"
        if isinstance(tool, FunctionTool):
            _add(chat_tools, tool, tool.name, f"{place}.name", capabilities)
        elif isinstance(tool, NamespaceTool):
            for inner, function in enumerate(tool.tools):
                if isinstance(function, CustomTool):
                    raise _unsupported(f"{place}.tools[{inner}]", "custom")
                name = flat_name(tool.name, function.name)
                names[name] = (tool.name, function.name)
                _add(chat_tools, function, name, f"{place}.tools[{inner}].name", capabilities)
        elif not is_switched_off(tool):
            raise _unsupported(place, tool_type(tool))
    if isinstance(choice, AllowedToolsChoice):
        allowed = _allowed(choice, tools, names)
        kept = [tool for name, tool in chat_tools.items() if name in allowed]
        return Functions(kept, names, choice.mode if kept else None)
    chosen = _choice(choice, chat_tools, names)
    if isinstance(chosen, dict) and not capabilities.named_tool_choice:
        return Functions([chat_tools[chosen["function"]["name"]]], names, "required")
    return Functions(list(chat_tools.values()), names, chosen)


def is_switched_off(tool: Tool) -> bool:
    """Whether a hosted tool asks to do nothing: web search without access to the web.

    Codex CLI sends this with every request; such a tool is left out.
    """
    return isinstance(tool, WebSearchTool) and tool.external_web_access is False


def tool_type(tool: Tool) -> str:
    """Returns the tool's `type` on the wire."""
    return str(tool.__struct_config__.tag)


def flat_name(namespace: str, name: str) -> str:
    """Returns the one name under which a backend knows a function of a namespace; at most 64 characters."""
    flat = f"{namespace}__{name}"
    if len(flat) <= MAX_NAME:
        return flat
    digest = hashlib.sha256(flat.encode()).hexdigest()[:8]
    return f"{flat[: MAX_NAME - 9]}_{digest}"


def _add(
    tools: dict[str, ChatTool], tool: FunctionTool, name: str, param: str, capabilities: Capabilities
) -> None:
    if name in tools:
        raise InvalidRequest(
            f"Invalid '{param}': two tools have the name '{name}'. Tool names must be unique.",
            code="invalid_value",
            param=param,
        )
    function: ChatFunction = {"name": name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    if capabilities.strict_tools and isinstance(tool.strict, bool):
        function["strict"] = tool.strict
    tools[name] = {"type": "function", "function": function}


def _choice(
    choice: ToolChoice | None, tools: dict[str, ChatTool], names: ToolNames
) -> str | JSONObject | None:
    if choice is None or isinstance(choice, str):
        if choice == "required" and not tools:
            raise _not_found("required")
        return choice if tools else None
    if not isinstance(choice, FunctionChoice):
        raise _not_found(str(choice.__struct_config__.tag))
    found = next((name for name in tools if name in _backend_names(choice.name, names)), None)
    if found is None:
        raise _not_found("function")
    return {"type": "function", "function": {"name": found}}


def _allowed(choice: AllowedToolsChoice, tools: list[Tool], names: ToolNames) -> set[str]:
    """The backend's names of the functions that the choice allows."""
    functions = {tool.name for tool in tools if isinstance(tool, FunctionTool)}
    namespaces = {tool.name for tool in tools if isinstance(tool, NamespaceTool)}
    types = {tool_type(tool) for tool in tools}
    allowed: set[str] = set()
    for position, entry in enumerate(choice.tools):
        place = f"tool_choice.tools[{position}]"
        kind = _string(entry.get("type"), f"{place}.type")
        name = _string(entry.get("name", ""), f"{place}.name")
        found = _named(kind, name, functions, namespaces, names)
        if not found and (kind in ("function", "namespace") or kind not in types):
            raise _not_found(kind)
        allowed |= found
    return allowed


def _named(kind: str, name: str, functions: set[str], namespaces: set[str], names: ToolNames) -> set[str]:
    if kind == "namespace" and name in namespaces:
        return {flat for flat, (namespace, _) in names.items() if namespace == name}
    if kind == "function":
        return {flat for flat in _backend_names(name, names) if flat in functions or flat in names}
    return set()


def _backend_names(name: str, names: ToolNames) -> list[str]:
    """A function's own name, then the flat names of functions so called in namespaces."""
    return [name, *(flat for flat, (_, inner) in names.items() if inner == name)]


def _not_found(kind: str) -> InvalidRequest:
    return InvalidRequest(f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice")


def _string(value: JSON, param: str) -> str:
    if isinstance(value, str):
        return value
    raise InvalidRequest(f"Invalid type for '{param}': expected a string.", code="invalid_type", param=param)


def _unsupported(place: str, kind: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{place}': tools of type '{kind}' are not supported by this server. "
        "Supported types are 'function' and 'namespace'.",
        code="unsupported_tool",
        param=place,
    )
