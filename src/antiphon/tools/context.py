"""Context of hosted tools: for the life of the server, and for one request."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Protocol, Self

from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.net.guard import Guard
from antiphon.settings.tools import ToolsSettings
from antiphon.settings.values import Secret
from antiphon.tools.page_cache import PageCache
from antiphon.tools.sandbox import Outcome
from antiphon.wire.chat import ChatTool
from antiphon.wire.containers import ContainerFile
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool, FileSearchTool, McpTool, Tool

if TYPE_CHECKING:
    import httpx2


class FileSearch(Protocol):
    """Search in the vector stores of one owner."""

    async def __call__(self, tool: FileSearchTool, query: str) -> list[JSONObject]:
        """Return the results of a file search call, the best first.

        Each has `vector_store_id`, `file_id`, `filename`, `score`, `text` and `attributes`.

        Args:
            tool: The tool with its limits, filters and ranking.
            query: The query of the model.

        Raises:
            NotFound: A vector store does not exist.
        """
        ...


class Containers(Protocol):
    """The containers of one owner, for the code interpreter."""

    async def check(self, tool: CodeInterpreterTool, param: str) -> None:
        """Check that the container of a tool, and its files, can be used.

        Args:
            tool: The tool.
            param: The place of the tool in the request.

        Raises:
            InvalidRequest: The sandbox isn't installed, or the container cannot be made like this.
            NotFound: The container or a file does not exist.
        """
        ...

    async def is_active(self, container_id: str) -> bool:
        """Return whether a container exists and hasn't expired."""
        ...

    async def use(self, container_id: str, auto: AutoContainer | None) -> None:
        """Note a run of a container; make it first if it doesn't exist and may be made.

        Args:
            container_id: The container.
            auto: The description of a container that may be made; None for an existing one.

        Raises:
            NotFound: The container or a file does not exist.
            TooManyContainers: The owner has too many containers.
        """
        ...

    async def run(self, container_id: str, code: str) -> Outcome:
        """Run code in a container.

        Raises:
            SandboxFailed: The interpreter ended without a result, or could not start.
            NotFound: The container does not exist.
        """
        ...

    async def keep(self, container_id: str, call_id: str, outcome: Outcome) -> list[ContainerFile]:
        """Store the files and charts of a run, and return them.

        Raises:
            NotFound: The container does not exist any more.
        """
        ...


class Slots:
    """Limits of the calls of each tool that run at the same time in the server."""

    def __init__(self) -> None:
        self._semaphores: dict[str, asyncio.Semaphore] = {}

    def of(self, name: str, concurrency: int) -> asyncio.Semaphore:
        """Return the semaphore of the tool `name`."""
        return self._semaphores.setdefault(name, asyncio.Semaphore(concurrency))


@dataclass(frozen=True, kw_only=True)
class ToolServices:
    """Settings, connections and limits that all requests share."""

    settings: ToolsSettings
    guard: Guard
    """Checks the addresses that clients and models name."""
    pages: PageCache = field(default_factory=PageCache)
    """Cache of web pages."""
    slots: Slots = field(default_factory=Slots)

    @classmethod
    async def open(cls, settings: ToolsSettings, allow_hosts: Iterable[str] = ()) -> Self:
        """Open the shared parts, which must be closed in the same event loop.

        Raises:
            ConfigError: An entry of `allow_hosts` is not valid.
        """
        return cls(settings=settings, guard=Guard(allow_hosts))

    @cached_property
    def client(self) -> "httpx2.AsyncClient":
        """HTTP client for the search provider, without cookies; each request sets its timeouts."""
        return self._client(self.settings.web_search.proxy)

    def _client(self, proxy: Secret | None) -> "httpx2.AsyncClient":
        import httpx2  # Only for the first search: it would lengthen every start.

        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx2.AsyncClient(
            verify=self.guard.tls,
            cookies=cookies,
            timeout=None,
            trust_env=False,
            proxy=None if proxy is None else proxy.reveal(),
        )

    @cached_property
    def images_client(self) -> "httpx2.AsyncClient":
        """HTTP client for the images backend."""
        return self._client(self.settings.image_generation.proxy)

    async def close(self) -> None:
        """Close the connections."""
        for name in ("client", "images_client"):
            if name in vars(self):
                await vars(self)[name].aclose()


@dataclass(kw_only=True)
class Deferred:
    """The tools of a request that a search can find."""

    tools: Sequence[Tool] = ()
    """All tools of the request."""
    servers: dict[str, Callable[[], list[ChatTool]]] = field(default_factory=dict)
    """The functions of MCP servers, by their labels."""

    def listed(self, tool: McpTool) -> list[ChatTool]:
        """Return the functions of an MCP server."""
        functions = self.servers.get(tool.server_label)
        return [] if functions is None else functions()


@dataclass(frozen=True, kw_only=True)
class ToolContext:
    """Context of the tools of one request."""

    services: ToolServices
    request: RequestContext
    wrap: Callable[[ToolCalls], ToolCalls]
    """Wraps calls for recording, replay and faults: `catalogue.tool_calls(inner, context)`."""
    file_search: FileSearch | None = None
    """None if the server stores no files."""
    deferred: Deferred = field(default_factory=Deferred)
    """The tools that a search can find, for the tools of the request that search."""
    containers: Containers | None = None
    """None if the server stores no files."""
    connections: list[ToolCalls] = field(default_factory=list)
    """Connections that tools of the request share, such as one to an MCP server."""
