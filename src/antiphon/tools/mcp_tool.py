"""MCP servers as hosted tools: the tools of one server, as one request declares them."""

import asyncio
from typing import TYPE_CHECKING

from antiphon.engine.ports import HostedCall, Ids, ToolCalls
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.mcp_approvals import Policy, approved_requests
from antiphon.tools.mcp_calls import LIST, ApprovalRequest, ToolCall, ToolListing, decoded_arguments
from antiphon.tools.mcp_results import functions, usable
from antiphon.tools.mcp_servers import McpServer, server_of
from antiphon.wire import tools
from antiphon.wire.chat import ChatTool
from antiphon.wire.items import Item, McpApprovalRequest, McpCall, McpListTools
from antiphon.wire.json import JSON, JSONObject

if TYPE_CHECKING:
    from antiphon.tools.mcp_client import McpClient


def mcp_tool(tool: tools.McpTool, position: int, context: ToolContext) -> "McpTools":
    """Returns the hosted tool for `tools[position]`; raises `InvalidRequest`."""
    server = server_of(tool, position, context.services.settings)
    policy = Policy.of(tool, position)
    connection = McpConnection(server, context.services)
    return McpTools(position, server, policy, connection, context)


class McpConnection:
    """`ToolCalls` that reach one server; connected when the first call is made, so never in replay."""

    def __init__(self, server: McpServer, services: ToolServices) -> None:
        self._server = server
        self._services = services
        self._client: McpClient | None = None
        self._loading = asyncio.Lock()

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Lists the tools (`tools/list`) or calls one; see `McpClient`."""
        async with self._loading:
            if self._client is None:
                client_class = await asyncio.to_thread(_client_class)
                self._client = client_class(self._server, self._services.guard, self._slots())
        if name == LIST:
            return await self._client.list_tools()
        return await self._client.call_tool(name, arguments)

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._client is not None:
            await self._client.close()

    def _slots(self) -> asyncio.Semaphore:
        """The operator's servers are bounded for all requests together, a caller's for the caller alone."""
        concurrency = self._server.settings.concurrency
        if self._server.name is None:
            return asyncio.Semaphore(concurrency)
        return self._services.slots.of(f"mcp {self._server.name}", concurrency)


def _client_class() -> "type[McpClient]":
    """The SDK takes half a second to import: only who uses MCP waits for it, and nobody else."""
    from antiphon.tools.mcp_client import McpClient

    return McpClient


class McpTools:
    """The `HostedTool` of one server."""

    def __init__(
        self,
        position: int,
        server: McpServer,
        policy: Policy,
        connection: McpConnection,
        context: ToolContext,
    ) -> None:
        self.position = position
        self._server = server
        self._policy = policy
        self._connection = connection
        self._calls: ToolCalls = context.wrap(connection)
        self._ids: Ids = context.call.ids
        self._known: list[JSONObject] = []
        self._listing: ToolListing | None = None

    def setup(self, items: list[Item]) -> HostedCall | None:
        """Returns the listing of the tools, unless the context has a list with all that is allowed now."""
        for item in reversed(items):
            if isinstance(item, McpListTools) and item.server_label == self._server.label:
                self._known = [entry for entry in item.tools if usable(entry)]
                break
        names = {entry["name"] for entry in self._known}
        allowed = self._policy.allowed
        if names and (allowed is None or allowed.names is None or allowed.names <= names):
            return None
        self._listing = ToolListing(self._server.label, self._policy, self._calls, self._ids)
        return self._listing

    def functions(self) -> list[ChatTool]:
        """Returns the allowed tools, in the server's order."""
        return functions(self._entries())

    def approved(self, items: list[Item]) -> list[HostedCall]:
        """Returns the calls of this server that the caller has approved and that have not been made."""
        requests = approved_requests(items, self._server.label)
        return [self._call(request.name, request.arguments, str(request.id)) for request in requests]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Returns the call, or the request to approve it."""
        entry = next((entry for entry in self._entries() if entry["name"] == name), None)
        needs_approval = entry is None or self._policy.needs_approval(entry)
        # What cannot be run needs no approval: the model is told what is wrong with it.
        if not needs_approval or decoded_arguments(arguments) is None:
            return self._call(name, arguments, None)
        label = self._server.label
        return ApprovalRequest(
            McpApprovalRequest(id=self._ids("mcpr"), arguments=arguments, name=name, server_label=label)
        )

    async def close(self) -> None:
        """Ends the connection."""
        await self._connection.close()

    def _entries(self) -> list[JSONObject]:
        known = self._known if self._listing is None else self._listing.item.tools
        return [entry for entry in known if self._policy.allows(entry)]

    def _call(self, name: str, arguments: str, approval_request_id: str | None) -> ToolCall:
        item = McpCall(
            id=self._ids("mcp"),
            status="in_progress",
            approval_request_id=approval_request_id,
            arguments=arguments,
            error=None,
            name=name,
            output=None,
            server_label=self._server.label,
        )
        return ToolCall(item, self._calls, self._server.settings.max_bytes)
