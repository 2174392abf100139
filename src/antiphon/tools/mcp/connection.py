"""A connection to one MCP server, shared by a request's tools."""

import asyncio
from typing import TYPE_CHECKING

from antiphon.net.guard import Guard
from antiphon.tools.mcp.calls import LIST
from antiphon.tools.mcp.servers import McpServer
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    from antiphon.tools.mcp.client import McpClient


class McpConnection:
    """`ToolCalls` to one server; it connects on the first call, so never in replay."""

    def __init__(self, server: McpServer, guard: Guard, slots: asyncio.Semaphore) -> None:
        self._server = server
        self._guard = guard
        self._slots = slots
        self._client: McpClient | None = None
        self._loading = asyncio.Lock()

    def reaches(self, server: McpServer) -> bool:
        """Return whether this is a connection to `server`, with equal credentials."""
        return server.name == self._server.name and server.settings == self._server.settings

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """List the tools (`tools/list`) or call one; see `McpClient`."""
        async with self._loading:
            if self._client is None:
                client_class = await asyncio.to_thread(_client_class)
                self._client = client_class(self._server, self._guard, self._slots)
        if name == LIST:
            return await self._client.list_tools()
        return await self._client.call_tool(name, arguments)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._client is not None:
            await self._client.close()


def _client_class() -> "type[McpClient]":
    """Import the client only when MCP is used, because the SDK takes half a second."""
    from antiphon.tools.mcp.client import McpClient

    return McpClient
