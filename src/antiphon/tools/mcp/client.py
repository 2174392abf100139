"""The client of one MCP server, which connects on first use."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp import MCPError

from antiphon.errors import UpstreamError, UpstreamRefused, UpstreamTimeout
from antiphon.net.guard import Guard
from antiphon.tools.mcp.servers import McpServer
from antiphon.tools.mcp.session import Kind, McpSession, SessionExpired
from antiphon.wire.json import JSONObject

T = TypeVar("T")

_OF_TOOLS = ("name", "description", "inputSchema", "annotations")
"""The used fields of a listed tool; icons, titles and output schemas are ignored."""
_NO_SUCH_TRANSPORT = frozenset({400, 404, 405, 406, 410, 415, 501})
"""Responses to a POST from servers that only support SSE."""


class McpClient:
    """A connection to one server for one response.

    Both requests raise `UpstreamError` for failures of the server, and the guard's error for a forbidden
    address. An error that the server itself returns as JSON-RPC is a result: `{"error": {"code",
    "message"}}`.
    """

    def __init__(self, server: McpServer, guard: Guard, slots: asyncio.Semaphore) -> None:
        self._server = server
        self._guard = guard
        self._slots = slots
        self._session: McpSession | None = None
        self._opening = asyncio.Lock()

    async def list_tools(self) -> JSONObject:
        """Return `{"tools": [...]}` with all pages, unchanged and in the server's order."""

        async def listed(session: McpSession) -> JSONObject:
            tools = await session.list_tools()
            return {"tools": [{key: tool[key] for key in _OF_TOOLS if key in tool} for tool in tools]}

        return await self._bounded(listed)

    async def call_tool(self, name: str, arguments: JSONObject) -> JSONObject:
        """Call a tool; return `content`, `isError` and `structuredContent` in MCP's form."""

        async def called(session: McpSession) -> JSONObject:
            result = await session.call_tool(name, arguments)
            used = {"content", "is_error", "structured_content"}
            return result.model_dump(by_alias=True, mode="json", exclude_none=True, include=used)

        return await self._bounded(called)

    async def close(self) -> None:
        """Close the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _bounded(self, ask: Callable[[McpSession], Awaitable[JSONObject]]) -> JSONObject:
        seconds = self._server.settings.timeout
        try:
            async with asyncio.timeout(seconds), self._slots:
                return await self._ask(ask)
        except TimeoutError:
            label = self._server.label
            raise UpstreamTimeout(f"MCP server '{label}': it did not answer within {seconds:g} s.") from None
        except MCPError as error:
            return {"error": {"code": error.code, "message": error.message}}

    async def _ask(self, ask: Callable[[McpSession], Awaitable[T]]) -> T:
        session = await self._connected()
        try:
            return await ask(session)
        except SessionExpired:
            # The server didn't execute the request, and the protocol requires a new session:
            # https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#session-management
            await session.close()
            session = await self._connected()
            return await ask(session)

    async def _connected(self) -> McpSession:
        async with self._opening:
            if self._session is None or not self._session.is_alive:
                self._session = None
                self._session = await self._connect()
            return self._session

    async def _connect(self) -> McpSession:
        settings = self._server.settings
        if settings.command is not None:
            return await self._open("stdio")
        if settings.transport == "sse":
            return await self._open("sse")
        try:
            return await self._open("http")
        except UpstreamRefused as error:
            if settings.transport == "http" or error.upstream_status not in _NO_SUCH_TRANSPORT:
                raise
            try:
                return await self._open("sse")
            except UpstreamError as second:
                # Its response about the token matters; otherwise the first error describes the server better.
                if isinstance(second, UpstreamRefused) and second.upstream_status in (401, 403):
                    raise
                raise error from second

    async def _open(self, kind: Kind) -> McpSession:
        session = McpSession(self._server, kind, self._guard)
        await session.open()
        return session
