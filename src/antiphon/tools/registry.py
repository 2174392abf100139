"""Hosted tools of the server, and those of one request."""

from collections.abc import Sequence

from antiphon.engine.ports import HostedTool
from antiphon.engine.request.functions import is_switched_off
from antiphon.tools import (
    client,
    code_interpreter,
    file_search,
    image_generation,
    mcp,
    tool_search,
    web_search,
)
from antiphon.tools.context import ToolContext
from antiphon.tools.mcp.servers import check_labels
from antiphon.tools.table import open_tool
from antiphon.wire.tools import Tool

_TOOLS = (client, web_search, file_search, mcp, code_interpreter, image_generation, tool_search)
"""The packages of the tools."""

for _tool in _TOOLS:
    _tool.register_all()


def open_tools(tools: Sequence[Tool], context: ToolContext) -> list[HostedTool]:
    """Return the hosted tools of a request, in its order; the caller closes them.

    Tools without an entry in the table and tools that are switched off are omitted.

    Raises:
        InvalidRequest: A tool cannot be used as the request declares it.
    """
    check_labels(tools)
    context.deferred.tools = tools
    opened = (
        open_tool(tool, position, context) for position, tool in enumerate(tools) if not is_switched_off(tool)
    )
    return [tool for tool in opened if tool is not None]
