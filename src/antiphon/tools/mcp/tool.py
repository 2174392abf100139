"""The tools of one MCP server as a hosted tool of one request."""

import asyncio

from antiphon.engine.ports import HostedCall, StreamedCall, ToolCalls
from antiphon.engine.request_context import Ids
from antiphon.tools.context import ToolContext
from antiphon.tools.mcp.approvals import Policy, approved_requests
from antiphon.tools.mcp.calls import ApprovalRequest, ToolCall, ToolListing, decoded_arguments
from antiphon.tools.mcp.connection import McpConnection
from antiphon.tools.mcp.results import functions, usable
from antiphon.tools.mcp.servers import McpServer, server_of
from antiphon.wire import tools
from antiphon.wire.chat import ChatTool
from antiphon.wire.items import Item, McpApprovalRequest, McpCall, McpListTools
from antiphon.wire.json import JSONObject


def mcp_tool(tool: tools.McpTool, position: int, context: ToolContext) -> "McpTools":
    """Return the hosted tool for `tools[position]`.

    Raises:
        InvalidRequest: The server isn't configured, or a parameter is invalid.
    """
    server = server_of(
        tool,
        position,
        context.services.settings,
        accepts_authorization_header=context.request.behavior.accepts_authorization_header,
    )
    policy = Policy.of(tool, position)
    opened = McpTools(position, server, policy, _connection(server, context), context)
    if tool.defer_loading is True:
        context.deferred.servers[tool.server_label] = opened.functions
    return opened


def _connection(server: McpServer, context: ToolContext) -> McpConnection:
    """Return the request's connection to a server.

    The limit on concurrent calls to a configured server applies to all requests together.
    """
    for connection in context.connections:
        if isinstance(connection, McpConnection) and connection.reaches(server):
            return connection
    services, concurrency = context.services, server.settings.concurrency
    if server.name is None:
        slots = asyncio.Semaphore(concurrency)
    else:
        slots = services.slots.of(f"mcp {server.name}", concurrency)
    made = McpConnection(server, services.guard, slots)
    context.connections.append(made)
    return made


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
        self._ids: Ids = context.request.ids
        self._repeats_list = context.request.behavior.repeats_tool_lists
        self._known: list[JSONObject] = []
        self._listing: ToolListing | None = None

    async def prepare(self, items: list[Item]) -> None:
        """Do nothing: the server is called in the response only."""

    def begin(self, name: str) -> StreamedCall | None:
        """Return None: a call begins with its whole arguments."""
        return None

    def setup(self, items: list[Item]) -> HostedCall | None:
        """Return the listing of the tools, or None if the context has the allowed tools.

        The listing of a dialect that repeats it takes the tools of the context, without a call.
        """
        for item in reversed(items):
            if isinstance(item, McpListTools) and item.server_label == self._server.label:
                self._known = [entry for entry in item.tools if usable(entry)]
                break
        names = {entry["name"] for entry in self._known}
        allowed = self._policy.allowed
        is_known = names and (allowed is None or allowed.names is None or allowed.names <= names)
        if is_known and not self._repeats_list:
            return None
        known = self._known if is_known else None
        self._listing = ToolListing(self._server.label, self._policy, self._calls, self._ids, known)
        return self._listing

    def functions(self) -> list[ChatTool]:
        """Return the allowed tools, in the server's order."""
        return functions(self._entries())

    def approved(self, items: list[Item]) -> list[HostedCall]:
        """Return the approved calls of this server that haven't been made yet."""
        requests = approved_requests(items, self._server.label)
        return [self._call(request.name, request.arguments, str(request.id)) for request in requests]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return the call, or the request to approve it."""
        entry = next((entry for entry in self._entries() if entry["name"] == name), None)
        needs_approval = entry is None or self._policy.needs_approval(entry)
        # An invalid call needs no approval, because the model only receives an error.
        if not needs_approval or decoded_arguments(arguments) is None:
            return self._call(name, arguments, None)
        label = self._server.label
        return ApprovalRequest(
            McpApprovalRequest(id=self._ids("mcpr"), arguments=arguments, name=name, server_label=label)
        )

    async def close(self) -> None:
        """Close the connection."""
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
