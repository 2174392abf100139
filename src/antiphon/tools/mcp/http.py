"""The HTTP client of an MCP connection, with statuses and size limits.

The SDK hides HTTP: a refused request is an error without a status, or over SSE no response at all. So this
client inspects the responses on their way to the SDK.
"""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio
import httpx2
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from antiphon.net.guard import Guard
from antiphon.net.transport import GuardedTransport
from antiphon.tools.mcp.servers import McpServer

MAX_ANSWER = 16 * 1024 * 1024
"""Size limit in bytes of a message; a list of 5,000 tools has 2 to 3 million."""


@dataclass
class Exchange:
    """The HTTP request of an MCP request."""

    status: int = 0
    """The status of an error response; 0 without one."""
    refused: anyio.Event = field(default_factory=anyio.Event)
    """Set by an error response."""


_propagator = TraceContextTextMapPropagator()

current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")
"""Set for each MCP request; the SDK sends messages in the context of their task."""


def http_client(server: McpServer, guard: Guard) -> httpx2.AsyncClient:
    """Return a new client for one server, which must be closed.

    It sends requests to client-provided URLs only through the guard. Time limits apply only to connecting and
    sending, since event streams may pause; `McpClient` limits the wait for a response. Only servers of the
    settings have a proxy: others must be connected to at the checked address.
    """
    settings = server.settings
    headers = {name: value.reveal() for name, value in settings.headers.items()}
    if settings.authorization is not None:
        headers["Authorization"] = f"Bearer {settings.authorization.reveal()}"
    is_named = server.name is None  # By the request. With a proxy, httpx2 would not use the transport.
    proxy = None if is_named or settings.proxy is None else settings.proxy.reveal()
    return httpx2.AsyncClient(
        # A compressed response could decompress to any size, so none is accepted.
        headers=headers | {"Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(settings.timeout, read=None),
        transport=GuardedTransport(guard, param=server.param) if is_named else None,
        trust_env=False,
        proxy=proxy,
        event_hooks={"request": [_trace], "response": [_watch]},
    )


async def _trace(request: httpx2.Request) -> None:
    """Add the headers that continue the current trace, if there is one."""
    _propagator.inject(request.headers)


async def _watch(response: httpx2.Response) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise httpx2.RemoteProtocolError(f"The answer is compressed ({encoding}), which was not requested.")
    if response.request.method == "POST" and response.status_code >= 400:
        exchange = current_exchange.get(None)
        if exchange is not None:
            exchange.status = response.status_code
            exchange.refused.set()
    # The SDK limits each event of an event stream itself, but no other bodies.
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body with a size limit."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for data in self._inner:
            size += len(data)
            if size > MAX_ANSWER:
                # The SDK handles this class and fails the request with it.
                raise httpx2.StreamError(f"the answer is larger than {MAX_ANSWER} bytes")
            yield data

    async def aclose(self) -> None:
        await self._inner.aclose()
