"""Search for tools that are loaded on demand, by the server or by the client."""

import msgspec
from msgspec import UNSET

from antiphon.engine.client.kinds import register_client_kind
from antiphon.engine.hosted.kinds import register_echo, register_kind
from antiphon.tools.table import register
from antiphon.tools.tool_search.items import ToolSearch, ToolSearchItems
from antiphon.tools.tool_search.tool import hosted_search
from antiphon.wire.tools import ToolSearchTool


def register_all() -> None:
    """Add this tool to the tables."""
    register_client_kind(ToolSearch())
    register_kind(ToolSearchItems())
    register_echo(ToolSearchTool, _echo)
    register(ToolSearchTool, hosted_search)


def _echo(tool: ToolSearchTool) -> ToolSearchTool:
    """Return the tool as api.openai.com shows it."""
    given = {name: getattr(tool, name) for name in ("description", "parameters")}
    return msgspec.structs.replace(
        tool, **{name: None if value is UNSET else value for name, value in given.items()}
    )
