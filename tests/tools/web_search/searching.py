"""Web search as the engine uses it, over a scripted search service."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from antiphon.engine.ports import HostedCall, HostedTool, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.settings.tools import ToolsSettings, WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.events import Event
from antiphon.wire.items import WebSearchCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import Tool, WebSearchTool
from tests.support.upstream import Upstream

T = TypeVar("T")

KEY = "tvly-canary"
RESULT: JSONObject = {
    "url": "https://example.com/a",
    "title": "A page",
    "content": "What it says.",
    "score": 0.5,
    "raw_content": None,
}
"""One result, as the model receives it."""


def place(service: Upstream) -> str:
    """Return the base URL of a scripted search service."""
    return f"http://127.0.0.1:{service.port}"


def tavily(service: Upstream, **settings: JSON) -> WebSearchSettings:
    """Return settings of web search through a scripted Tavily."""
    usual = WebSearchSettings(provider="tavily", base_url=place(service), api_key=Secret(KEY))
    return msgspec.structs.replace(usual, **settings)


def run(work: Callable[[ToolServices], Awaitable[T]], settings: WebSearchSettings) -> T:
    """Run `work` with services of these settings, and close them."""

    async def opened() -> T:
        async with services(settings) as given:
            return await work(given)

    return asyncio.run(opened())


@asynccontextmanager
async def services(settings: WebSearchSettings) -> AsyncIterator[ToolServices]:
    """Open and close services."""
    given = await ToolServices.open(ToolsSettings(web_search=settings))
    try:
        yield given
    finally:
        await given.close()


def unchanged(calls: ToolCalls) -> ToolCalls:
    """Return the calls of a server that neither records nor replays."""
    return calls


def opened(
    given: ToolServices, tool: Tool | None = None, wrap: Callable[[ToolCalls], ToolCalls] = unchanged
) -> HostedTool:
    """Return the hosted tool for one tool on the wire, by default a plain `web_search`."""
    context = ToolContext(services=given, request=RequestContext(), wrap=wrap)
    [hosted] = open_tools([tool or WebSearchTool()], context)
    return hosted


async def led(call: HostedCall) -> list[Event]:
    """Run a call as the engine does, and return its events."""
    events = call.opening(0)
    await call.run()
    return events + call.closing(0)


def item_of(call: HostedCall) -> WebSearchCall:
    """Return the call's item."""
    assert isinstance(call.item, WebSearchCall)
    return call.item


def asking(query: str) -> str:
    """Return the arguments with which a model calls `web_search`."""
    return json.dumps({"query": query})
