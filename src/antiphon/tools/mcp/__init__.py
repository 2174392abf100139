"""MCP servers as hosted tools."""

from antiphon.engine.hosted.kinds import register_echo, register_kind
from antiphon.tools.mcp.items import McpItems, echo
from antiphon.tools.mcp.tool import mcp_tool
from antiphon.tools.table import register
from antiphon.wire.tools import McpTool


def register_all() -> None:
    """Add this tool to the tables."""
    register_kind(McpItems())
    register_echo(McpTool, echo)
    register(McpTool, mcp_tool)
