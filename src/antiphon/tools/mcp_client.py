"""The tools of one MCP server: connected when the first is needed, within the server's limits."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

from mcp import ClientSession, MCPError
from mcp_types import (
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
)

from antiphon.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamTimeout
from antiphon.tools.guard import Guard
from antiphon.tools.mcp_servers import McpServer
from antiphon.tools.mcp_session import Kind, McpSession, SessionExpired
from antiphon.wire.json import JSONObject

T = TypeVar("T")

MAX_TOOLS = 10_000
"""Tools of one server that are taken. A server whose pages never end stops here."""

_NO_SUCH_TRANSPORT = frozenset({400, 404, 405, 406, 410, 415, 501})
"""What servers that know only SSE answer to a POST at the address of their event stream."""


class McpClient:
    """A connection to one server, used by one response.

    Both requests raise `UpstreamError` where the server does not answer as it should, and the guard's error
    for an address that is not allowed. An error that the server itself gives, in the form of JSON-RPC, is a
    result: `{"error": {"code", "message"}}`.
    """

    def __init__(self, server: McpServer, guard: Guard, slots: asyncio.Semaphore) -> None:
        self._server = server
        self._guard = guard
        self._slots = slots
        self._session: McpSession | None = None
        self._opening = asyncio.Lock()

    async def list_tools(self) -> JSONObject:
        """Returns `{"tools": [...]}` with all pages, in the server's order and MCP's form."""
        return await self._bounded(self._list)

    async def call_tool(self, name: str, arguments: JSONObject) -> JSONObject:
        """Returns the answer's `content`, `isError` and `structuredContent`, if any, in MCP's form."""

        async def call(session: ClientSession) -> JSONObject:
            # Not the session's own `call_tool`: that lists the tools before a first call.
            parameters = CallToolRequestParams(name=name, arguments=arguments)
            result = await session.send_request(CallToolRequest(params=parameters), CallToolResult)
            return result.model_dump(
                by_alias=True,
                mode="json",
                exclude_none=True,
                include={"content", "is_error", "structured_content"},
            )

        return await self._bounded(call)

    async def close(self) -> None:
        """Ends the session, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _list(self, session: ClientSession) -> JSONObject:
        tools: list[JSONObject] = []
        cursor: str | None = None
        while True:
            parameters = PaginatedRequestParams(cursor=cursor)
            page = await session.send_request(ListToolsRequest(params=parameters), ListToolsResult)
            tools += [
                tool.model_dump(
                    by_alias=True,
                    mode="json",
                    exclude_none=True,
                    include={"name", "description", "input_schema", "annotations"},
                )
                for tool in page.tools
            ]
            if page.next_cursor is None:
                return {"tools": tools}
            if len(tools) >= MAX_TOOLS or page.next_cursor == cursor:
                raise UpstreamBroken(f"MCP server '{self._server.label}': its list of tools does not end.")
            cursor = page.next_cursor

    async def _bounded(
        self, send: Callable[[ClientSession], Coroutine[None, None, JSONObject]]
    ) -> JSONObject:
        seconds = self._server.settings.timeout
        try:
            async with asyncio.timeout(seconds), self._slots:
                return await self._ask(send)
        except TimeoutError:
            label = self._server.label
            raise UpstreamTimeout(f"MCP server '{label}': it did not answer within {seconds:g} s.") from None
        except MCPError as error:
            return {"error": {"code": error.code, "message": error.message}}

    async def _ask(self, send: Callable[[ClientSession], Coroutine[None, None, T]]) -> T:
        session = await self._connected()
        try:
            return await session.ask(send)
        except SessionExpired:
            # Nothing was run: the protocol asks for a new session (streamable HTTP, session management).
            await session.close()
            session = await self._connected()
            return await session.ask(send)

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
                # Its word on the token counts; else the first answer says more about the server.
                if isinstance(second, UpstreamRefused) and second.upstream_status in (401, 403):
                    raise
                raise error from second

    async def _open(self, kind: Kind) -> McpSession:
        session = McpSession(self._server, kind, self._guard)
        await session.open()
        return session
