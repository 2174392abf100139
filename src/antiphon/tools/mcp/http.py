"""The HTTP client under an MCP connection: what became of each request, and bounds on what comes back.

The SDK tells its user little of HTTP: a refused request is an error without its status, or, over SSE, no
answer at all. So the responses are watched where they pass.
"""

from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio
import httpx2

from antiphon.net.guard import Guard
from antiphon.net.transport import GuardedTransport
from antiphon.tools.mcp.servers import McpServer

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one message of a server: a list of 5,000 tools has two or three million."""


@dataclass
class Exchange:
    """The HTTP request that carries one MCP request."""

    status: int = 0
    """The status of an answer that refuses it; 0 without one."""
    refused: anyio.Event = field(default_factory=anyio.Event)


current_exchange: ContextVar[Exchange] = ContextVar("current_exchange")
"""Set around each MCP request; the SDK sends a message in the context of the task that asked for it."""


def http_client(server: McpServer, guard: Guard) -> httpx2.AsyncClient:
    """Returns a client for one server, to be closed; it calls what a caller named only through the guard.

    Only connecting and sending have a time limit. Whoever waits for an answer bounds that: event streams may
    rest. No proxy of the environment is used: the address that was judged is the one that is called.
    """
    settings = server.settings
    headers = {name: value.reveal() for name, value in settings.headers.items()}
    if settings.authorization is not None:
        headers["Authorization"] = f"Bearer {settings.authorization.reveal()}"
    return httpx2.AsyncClient(
        # Compressed answers could be bombs: what is sent is what is counted.
        headers=headers | {"Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(settings.timeout, read=None),
        transport=GuardedTransport(guard, param=server.param) if server.name is None else None,
        trust_env=False,
        event_hooks={"response": [_watch]},
    )


async def _watch(response: httpx2.Response) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise httpx2.RemoteProtocolError(f"The answer is compressed ({encoding}), which was not asked for.")
    if response.request.method == "POST" and response.status_code >= 400:
        exchange = current_exchange.get(None)
        if exchange is not None:
            exchange.status = response.status_code
            exchange.refused.set()
    # The SDK bounds each event of an event stream itself, and does not bound other bodies.
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body that breaks off when it is too large."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for data in self._inner:
            size += len(data)
            if size > MAX_ANSWER:
                # The SDK knows this class, and answers the request with it.
                raise httpx2.StreamError(f"the answer is larger than {MAX_ANSWER} bytes")
            yield data

    async def aclose(self) -> None:
        await self._inner.aclose()
