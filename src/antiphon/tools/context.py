"""What hosted tools are given: for the life of the server, and for one request."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Protocol, Self

from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.net.guard import Guard
from antiphon.settings.tools import ToolsSettings
from antiphon.tools.page_cache import PageCache
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import FileSearchTool

if TYPE_CHECKING:
    import httpx2


class FileSearch(Protocol):
    """Searches the vector stores of one owner."""

    async def __call__(self, tool: FileSearchTool, query: str) -> list[JSONObject]:
        """Returns the results of a file search call, best first, as `tool` asks for them.

        Each has `vector_store_id`, `file_id`, `filename`, `score`, `text` and `attributes`. Raises `NotFound`
        for a store that is not there.
        """
        ...


class Slots:
    """Bounds how many calls of each tool run at the same time, in the whole server."""

    def __init__(self) -> None:
        self._semaphores: dict[str, asyncio.Semaphore] = {}

    def of(self, name: str, concurrency: int) -> asyncio.Semaphore:
        """Returns what `async with` waits at for a free slot of the tool `name`."""
        return self._semaphores.setdefault(name, asyncio.Semaphore(concurrency))


@dataclass(frozen=True, kw_only=True)
class ToolServices:
    """What all requests share: settings, connections, bounds."""

    settings: ToolsSettings
    guard: Guard
    """For the addresses that callers and models name."""
    pages: PageCache = field(default_factory=PageCache)
    """What was read of the web."""
    slots: Slots = field(default_factory=Slots)

    @classmethod
    async def open(cls, settings: ToolsSettings, allow_hosts: Iterable[str] = ()) -> Self:
        """Opens what is shared; to be closed in the same event loop.

        Raises `ConfigError` for an entry of `allow_hosts` that cannot be read.
        """
        return cls(settings=settings, guard=Guard(allow_hosts))

    @cached_property
    def client(self) -> "httpx2.AsyncClient":
        """For the services that the settings name. It keeps no cookies, and whoever calls bounds the time."""
        import httpx2  # Only for the first search: it would lengthen every start.

        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx2.AsyncClient(verify=self.guard.tls, cookies=cookies, timeout=None, trust_env=False)

    async def close(self) -> None:
        """Closes the connections."""
        if "client" in vars(self):
            await self.client.aclose()


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """What the tools of one request are given."""

    services: ToolServices
    request: RequestContext
    wrap: Callable[[ToolCalls], ToolCalls]
    """Puts the seam of recording, replay and faults around calls: `catalogue.tool_calls(inner, context)`."""
    file_search: FileSearch | None = None
    """None where the server keeps no files."""
    connections: list[ToolCalls] = field(default_factory=list)
    """Connections that tools of the request share, such as one to an MCP server."""
