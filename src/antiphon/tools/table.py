"""Table of the hosted tools that run here, by their type; each tool's folder fills its entries."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from antiphon.engine.ports import HostedTool
from antiphon.tools.context import ToolContext
from antiphon.wire.tools import Tool

T = TypeVar("T", bound=Struct)

_factories: dict[type[Struct], Callable[[Tool, int, ToolContext], HostedTool | None]] = {}


def register(tool_type: type[T], factory: Callable[[T, int, ToolContext], HostedTool | None]) -> None:
    """Run the tools of a type with `factory`; the last registration of a type counts.

    The factory receives the tool and its place in `tools`. It connects to nothing yet, and raises
    `InvalidRequest` for a wrong tool. It returns None for a tool that the client runs.
    """

    def make(tool: Tool, position: int, context: ToolContext) -> HostedTool | None:
        assert isinstance(tool, tool_type)
        return factory(tool, position, context)

    _factories[tool_type] = make


def open_tool(tool: Tool, position: int, context: ToolContext) -> HostedTool | None:
    """Return the hosted tool of a request; None for a type without an entry."""
    factory = _factories.get(type(tool))
    return None if factory is None else factory(tool, position, context)
