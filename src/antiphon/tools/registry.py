"""Which hosted tool runs for which type of tool on the wire."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct

from antiphon.engine.ports import HostedTool
from antiphon.engine.request.functions import is_switched_off
from antiphon.tools.context import ToolContext
from antiphon.tools.file_search import FileSearch
from antiphon.tools.mcp.servers import check_labels
from antiphon.tools.mcp.tool import mcp_tool
from antiphon.tools.web_search.tool import WebSearch
from antiphon.wire.tools import (
    FileSearchTool,
    McpTool,
    Tool,
    WebSearch20250826Tool,
    WebSearchPreview20250311Tool,
    WebSearchPreviewTool,
    WebSearchTool,
)

T = TypeVar("T", bound=Struct)

_factories: dict[type[Struct], Callable[[Tool, int, ToolContext], HostedTool]] = {}


def register(tool_type: type[T], factory: Callable[[T, int, ToolContext], HostedTool]) -> None:
    """Makes `factory` run the tools of a type on the wire; it is given the tool and its place in `tools`.

    It connects to nothing yet, and raises `InvalidRequest` for what is wrong with the tool. The last
    registration of a type counts.
    """

    def make(tool: Tool, position: int, context: ToolContext) -> HostedTool:
        assert isinstance(tool, tool_type)
        return factory(tool, position, context)

    _factories[tool_type] = make


def open_tools(tools: Sequence[Tool], context: ToolContext) -> list[HostedTool]:
    """Returns the hosted tools of a request, in its order; the caller closes them.

    Tools that nobody registered for are left out, and so are those that are switched off.
    """
    check_labels(tools)
    return [
        factory(tool, position, context)
        for position, tool in enumerate(tools)
        if not is_switched_off(tool) and (factory := _factories.get(type(tool))) is not None
    ]


register(FileSearchTool, FileSearch)
register(McpTool, mcp_tool)
register(WebSearchTool, WebSearch)
register(WebSearch20250826Tool, WebSearch)
register(WebSearchPreviewTool, WebSearch)
register(WebSearchPreview20250311Tool, WebSearch)
