"""A session with an MCP server, over streamable HTTP, SSE or stdio."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Literal, TypeAlias, TypeVar

import httpx2
from mcp import ClientSession, MCPError, StdioServerParameters
from mcp.client import Transport
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import CallOptions
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext
from mcp_types import (
    CONNECTION_CLOSED,
    METHOD_NOT_FOUND,
    UNSUPPORTED_PROTOCOL_VERSION,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    ListToolsRequest,
    ListToolsResult,
    PaginatedRequestParams,
    RequestId,
)
from pydantic import ValidationError

from antiphon import __version__
from antiphon.errors import (
    AntiphonError,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.net.guard import Guard
from antiphon.tools.mcp.http import MAX_ANSWER, Exchange, current_exchange, http_client
from antiphon.tools.mcp.servers import McpServer
from antiphon.wire.json import JSON, JSONObject

T = TypeVar("T")

Kind = Literal["http", "sse", "stdio"]
Send: TypeAlias = Callable[[ClientSession], Coroutine[None, None, T]]

MAX_TOOLS = 10_000
"""The most tools of one server; it also limits servers with endless pages."""

CLOSING_SECONDS = 2.0
"""Seconds for closing a session, because a server may not respond to it."""

# The SDK logs a traceback for each failed server, and a URL may contain a token. The response contains
# the error instead.
logging.getLogger("mcp").setLevel(logging.CRITICAL)


class SessionExpired(UpstreamRefused):
    """The session doesn't exist anymore; the protocol defines status 404 for this."""


class _Dispatcher(JSONRPCDispatcher[TransportContext]):
    """A dispatcher that hides lists of tools from the SDK's validation.

    The SDK rejects a whole list because of one invalid tool.
    """

    page: Sequence[JSONObject] = ()
    """The last page, as the server sent it."""

    async def send_raw_request(
        self,
        method: str,
        params: Mapping[str, JSON] | None,
        opts: CallOptions | None = None,
        *,
        _related_request_id: RequestId | None = None,
    ) -> JSONObject:
        result = await super().send_raw_request(method, params, opts, _related_request_id=_related_request_id)
        tools = result.get("tools")
        if method != "tools/list" or not isinstance(tools, list):
            return result
        self.page = [tool for tool in tools if isinstance(tool, dict)]
        return result | {"tools": []}


class McpSession:
    """An initialized session, which runs in its own task.

    The SDK's task groups must be exited in the task that entered them, but requests come from many tasks.
    """

    def __init__(self, server: McpServer, kind: Kind, guard: Guard) -> None:
        self._kind = kind
        self._server = server
        self._guard = guard
        self._closing = asyncio.Event()
        self._handshake = Exchange()
        self._dispatcher: _Dispatcher | None = None
        self._opened: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live())

    async def open(self) -> None:
        """Wait until the session is usable.

        Raises:
            UpstreamError: The server failed.
            AntiphonError: The guard rejected the address.
        """
        try:
            waited: set[asyncio.Future[JSON]] = {self._task, self._opened}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait({self._task})
            raise
        if not self._opened.done():
            raise await self._failure(self._handshake, "it closed the session before it began")

    @property
    def is_alive(self) -> bool:
        """Whether the session is usable."""
        return not self._task.done() and not self._closing.is_set()

    async def list_tools(self) -> list[JSONObject]:
        """Return all pages of `tools/list`, with every tool as the server sent it.

        Raises:
            UpstreamError: The server failed.
            MCPError: The server returned an error.
        """
        tools: list[JSONObject] = []
        cursor: str | None = None
        while True:
            page, after = await self._page(cursor)
            tools += page
            if after is None:
                return tools
            if len(tools) >= MAX_TOOLS or after == cursor:
                raise self._broken("its list of tools has no end")
            cursor = after

    async def call_tool(self, name: str, arguments: JSONObject) -> CallToolResult:
        """Call a tool.

        Raises:
            UpstreamError: The server failed.
            MCPError: The server returned an error.
        """
        # The session's own `call_tool` would list the tools before the first call.
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=arguments))
        return await self._ask(lambda session: session.send_request(request, CallToolResult))

    async def close(self) -> None:
        """Close the session, and stop the process of a stdio server."""
        self._closing.set()
        try:
            await asyncio.wait({self._task}, timeout=CLOSING_SECONDS)
        finally:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _page(self, cursor: str | None) -> tuple[Sequence[JSONObject], str | None]:
        """Return one page, and the cursor of the next one."""
        request = ListToolsRequest(params=PaginatedRequestParams(cursor=cursor))
        result = await self._ask(lambda session: session.send_request(request, ListToolsResult))
        return self._dispatcher.page if self._dispatcher else (), result.next_cursor

    async def _ask(self, send: Send[T]) -> T:
        """Send one request.

        Raises:
            UpstreamError: The server failed.
            MCPError: The server returned an error.
        """
        exchange = Exchange()
        try:
            return await self._send(send, self._opened.result(), exchange)
        except MCPError as error:
            if exchange.status:
                raise self._refused(exchange.status, error.message) from error
            if error.code == CONNECTION_CLOSED:
                raise await self._failure(exchange, error.message) from error
            raise
        except ValidationError as error:
            raise self._broken(f"it sent an invalid MCP message: {_first(error)}") from error

    async def _live(self) -> None:
        async with AsyncExitStack() as stack:
            read, write = await stack.enter_async_context(await self._streams(stack))
            self._dispatcher = _Dispatcher(read, write)
            session = await stack.enter_async_context(
                ClientSession(dispatcher=self._dispatcher, client_info=_WE)
            )
            await self._send(_handshake, session, self._handshake)
            self._opened.set_result(session)
            await self._closing.wait()

    async def _streams(self, stack: AsyncExitStack) -> Transport:
        settings = self._server.settings
        if self._kind == "stdio":
            env = {name: value.reveal() for name, value in settings.env.items()}
            parameters = StdioServerParameters(
                command=settings.command or "", args=list(settings.args), env=env
            )
            return stdio_client(parameters, errlog=sys.__stderr__ or sys.stderr)
        url = settings.url or ""
        if self._kind == "http":
            client = await stack.enter_async_context(http_client(self._server, self._guard))
            return streamable_http_client(url, http_client=client, max_sse_event_size=MAX_ANSWER)

        def same_client(
            headers: dict[str, str] | None = None,
            timeout: httpx2.Timeout | None = None,
            auth: httpx2.Auth | None = None,
        ) -> httpx2.AsyncClient:
            return http_client(self._server, self._guard)

        transport: Transport = sse_client(url, httpx_client_factory=same_client)
        return transport

    async def _send(self, send: Send[T], session: ClientSession, exchange: Exchange) -> T:
        """Send a request; over SSE, only its exchange shows that it was refused."""
        token = current_exchange.set(exchange)
        try:
            if self._kind != "sse":
                return await send(session)
            request = asyncio.create_task(send(session))
            refused = asyncio.create_task(exchange.refused.wait())
        finally:
            current_exchange.reset(token)
        try:
            waited: set[asyncio.Future[JSON]] = {request, refused}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if request.done():
                return request.result()
            raise self._refused(exchange.status, "Server returned an error response")
        finally:
            request.cancel()
            refused.cancel()

    async def _failure(self, exchange: Exchange, otherwise: str) -> AntiphonError:
        """Return the error that ended the session; `otherwise` is the text without one."""
        await self.close()
        error: BaseException | None = None if self._task.cancelled() else self._task.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, AntiphonError):
            return error
        if isinstance(error, httpx2.HTTPStatusError):
            return self._refused(error.response.status_code, "Server returned an error response")
        if exchange.status:
            return self._refused(exchange.status, error.message if isinstance(error, MCPError) else otherwise)
        if isinstance(error, httpx2.TimeoutException):
            return UpstreamTimeout(self._says("it did not answer in time"))
        if isinstance(error, ValidationError):
            return self._broken(f"it sent an invalid MCP message: {_first(error)}")
        if isinstance(error, MCPError | httpx2.SSEError | RuntimeError | ValueError):
            return self._broken(str(error))
        if isinstance(error, httpx2.TransportError | OSError):
            return UpstreamUnreachable(self._says(f"no connection ({type(error).__name__})"))
        if error is not None:
            raise error
        return self._broken(otherwise)

    def _refused(self, status: int, message: str) -> UpstreamRefused:
        kind = SessionExpired if status == 404 else UpstreamRefused
        return kind(self._says(f"{message} (HTTP status {status})"), upstream_status=status)

    def _broken(self, why: str) -> UpstreamBroken:
        return UpstreamBroken(self._says(why))

    def _says(self, why: str) -> str:
        return f"MCP server '{self._server.label}': {why}."


_WE = Implementation(name="antiphon", version=__version__)


async def _handshake(session: ClientSession) -> None:
    """Initialize the session, or use discovery with servers that have no handshake."""
    try:
        await session.initialize()
    except MCPError as error:
        if error.code not in (UNSUPPORTED_PROTOCOL_VERSION, METHOD_NOT_FOUND):
            raise
        await session.discover()


def _first(error: ValidationError) -> str:
    """Return the location and message of the first error, without the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
