"""Tools of the MCP servers that tests run, made with the SDK's server classes."""

from collections.abc import Mapping

import anyio
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    ImageContent,
    ListToolsResult,
    PaginatedRequestParams,
    ResourceLink,
    TextContent,
    Tool,
    ToolAnnotations,
)

MANY, PAGE = 5000, 500

_USERS = {"alice": "user_12345", "charlie": "user_11111"}
_EXPERIMENTS = {"chemical_reaction": "exp_003", "boiling_point": "exp_004"}


def get_user_id(username: str) -> str:
    return _USERS.get(username.lower(), "user_99999")


def get_user_permissions(user_id: str) -> str:
    return "admin" if user_id == _USERS["charlie"] else "read"


def check_file_access(user_id: str, filename: str) -> str:
    return "yes" if user_id == _USERS["alice"] and filename == "document.txt" else "no"


def get_experiment_id(experiment_name: str) -> str:
    return _EXPERIMENTS.get(experiment_name, "exp_000")


def get_experiment_results(experiment_id: str) -> str:
    if experiment_id == "exp_003":
        return "Yield: 85%, Status: Complete"
    return "Boiling Point: 100°C, Status: Verified" if experiment_id == "exp_004" else "none"


def greet_everyone(url: str) -> str:
    return "Hello, world!"


def get_boiling_point(liquid_name: str, celsius: bool = True) -> int:
    if liquid_name != "myawesomeliquid":
        raise ToolError(f"{liquid_name} is unknown")
    return -100 if celsius else -148


WORKFLOW = (
    get_user_id,
    get_user_permissions,
    check_file_access,
    get_experiment_id,
    get_experiment_results,
)


def workflow(descriptions: Mapping[str, str]) -> MCPServer:
    """Return tools that need each other's results; their descriptions are part of the recorded requests."""
    server = MCPServer("workflow")
    for function in WORKFLOW:
        server.add_tool(function, description=descriptions.get(function.__name__, ""))
    return server


def basic(descriptions: Mapping[str, str]) -> MCPServer:
    """Return two tools, one of which fails for most arguments and only reads."""
    server = MCPServer("basic")
    server.add_tool(greet_everyone, description=descriptions.get("greet_everyone", ""))
    server.add_tool(
        get_boiling_point,
        description=descriptions.get("get_boiling_point", ""),
        annotations=ToolAnnotations(read_only_hint=True),
    )
    return server


_CONTENT: dict[str, list[ContentBlock]] = {
    "speak": [TextContent(type="text", text="one"), TextContent(type="text", text="two")],
    "draw": [
        ImageContent(type="image", data="AAAA", mime_type="image/png"),
        AudioContent(type="audio", data="AAAA", mime_type="audio/wav"),
        ResourceLink(type="resource_link", name="page", uri="https://example.com/page"),
    ],
    "write": [TextContent(type="text", text="ä" * 4000)],
}


def odd() -> "Server[dict[str, object]]":
    """Return tools that hang, fail, or answer in other forms."""
    schemas: dict[str, dict[str, object]] = {
        "speak": {"type": "object"},
        "draw": {"type": "object", "properties": {}},
        "write": {"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"},
        "count": {"type": "object"},
        "hang": {"type": "object"},
        "refuse": {"type": "object"},
    }

    async def list_tools(
        context: ServerRequestContext[dict[str, object]], parameters: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(
            tools=[Tool(name=name, input_schema=schema) for name, schema in schemas.items()]
        )

    async def call_tool(
        context: ServerRequestContext[dict[str, object]], parameters: CallToolRequestParams
    ) -> CallToolResult:
        if parameters.name == "hang":
            await anyio.sleep_forever()
        if parameters.name == "refuse":
            raise MCPError(INVALID_PARAMS, "not like this")
        if parameters.name == "count":
            return CallToolResult(content=[], structured_content={"count": 3})
        return CallToolResult(content=_CONTENT[parameters.name])

    return Server("odd", on_list_tools=list_tools, on_call_tool=call_tool)


def many() -> "Server[dict[str, object]]":
    """Return 5,000 tools in pages of 500."""

    async def list_tools(
        context: ServerRequestContext[dict[str, object]], parameters: PaginatedRequestParams | None
    ) -> ListToolsResult:
        start = int(parameters.cursor) if parameters and parameters.cursor else 0
        tools = [
            Tool(name=f"tool_{number}", description=f"Tool {number}", input_schema={"type": "object"})
            for number in range(start, start + PAGE)
        ]
        after = start + PAGE
        return ListToolsResult(tools=tools, next_cursor=str(after) if after < MANY else None)

    return Server("many", on_list_tools=list_tools)


def listing_hangs() -> "Server[dict[str, object]]":
    """Return a server that never lists its tools."""

    async def list_tools(
        context: ServerRequestContext[dict[str, object]], parameters: PaginatedRequestParams | None
    ) -> ListToolsResult:
        await anyio.sleep_forever()
        raise AssertionError

    return Server("listing_hangs", on_list_tools=list_tools)
