"""The connection to one MCP server, shared by the tools of a request that have the same credentials there."""

import asyncio
from typing import TYPE_CHECKING

from antiphon.net.guard import Guard
from antiphon.tools.mcp.calls import LIST
from antiphon.tools.mcp.servers import McpServer
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    from antiphon.tools.mcp.client import McpClient


class McpConnection:
    """`ToolCalls` that reach one server; connected when the first call is made, so never in replay."""

    def __init__(self, server: McpServer, guard: Guard, slots: asyncio.Semaphore) -> None:
        self._server = server
        self._guard = guard
        self._slots = slots
        self._client: McpClient | None = None
        self._loading = asyncio.Lock()

    def reaches(self, server: McpServer) -> bool:
        """Whether this is a connection to `server`, with its credentials, whatever the label."""
        return server.name == self._server.name and server.settings == self._server.settings

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Lists the tools (`tools/list`) or calls one; see `McpClient`."""
        async with self._loading:
            if self._client is None:
                client_class = await asyncio.to_thread(_client_class)
                self._client = client_class(self._server, self._guard, self._slots)
        if name == LIST:
            return await self._client.list_tools()
        return await self._client.call_tool(name, arguments)

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._client is not None:
            await self._client.close()


def _client_class() -> "type[McpClient]":
    """The SDK takes half a second to import: only who uses MCP waits for it, and nobody else."""
    from antiphon.tools.mcp.client import McpClient

    return McpClient
