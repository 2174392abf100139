"""Responses with real MCP servers and a scripted model."""

import asyncio
from collections.abc import Callable

import msgspec

from antiphon.decode.bodies import create_response
from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.settings.tools import McpServerSettings, McpSettings, ToolsSettings
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import Hosting, Replies
from tests.engine.looping import collect
from tests.engine.replies import counted_ids
from tests.mcp_servers.running import Servers

LOCAL = ("127.0.0.1",)
ASKED: Item = Message(role="user", content="Hi")


def unchanged(inner: ToolCalls) -> ToolCalls:
    return inner


def mcp(running: Servers, path: str, label: str = "s", **more: JSON) -> JSONObject:
    """Return a tool with a URL from the client, whose calls need no approval."""
    return {
        "type": "mcp",
        "server_label": label,
        "server_url": f"{running.url}{path}",
        "require_approval": "never",
    } | more


def configured(running: Servers, **paths: str) -> ToolsSettings:
    """Return settings with servers of the operator."""
    named = {name: McpServerSettings(url=f"{running.url}{path}") for name, path in paths.items()}
    return ToolsSettings(mcp=McpSettings(servers=named))


def converse(
    model: Replies,
    tools: list[JSONObject],
    items: list[Item] | None = None,
    *,
    settings: ToolsSettings | None = None,
    allow_hosts: tuple[str, ...] = LOCAL,
    wrap: Callable[[ToolCalls], ToolCalls] = unchanged,
) -> Hosting:
    """Run one response whose context is `items`, with checks of every event and of the life of every item."""

    async def run() -> Hosting:
        services = await ToolServices.open(settings or ToolsSettings(timeout=10), allow_hosts)
        try:
            context = ToolContext(services=services, request=RequestContext(ids=counted_ids()), wrap=wrap)
            request = create_response.decode(
                msgspec.json.encode({"model": "backend/model", "input": "Hi", "tools": tools})
            )
            hosted = open_tools(request.tools or [], context)
            hosting = Hosting(model, tools, *hosted, items=items or [ASKED])
            try:
                hosting.events = await asyncio.wait_for(collect(hosting.loop), 30)
            finally:
                for tool in hosted:
                    await tool.close()
            return hosting
        finally:
            await services.close()

    hosting = asyncio.run(run())
    if len(tools) == 1:  # Several servers list their tools at the same time.
        hosting.check()
    return hosting


def output(hosting: Hosting, kind: str) -> list[JSONObject]:
    """Return the output items of one type."""
    return [item for item in hosting.response["output"] if item["type"] == kind]


def context(hosting: Hosting, *more: Item) -> list[Item]:
    """Return the context of the next turn."""
    items = [msgspec.convert(item, Item) for item in hosting.response["output"]]
    return [ASKED, *items, *more]
