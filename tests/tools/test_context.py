"""Proxies of the services that tools call."""

import asyncio

import httpx2
import pytest

from antiphon.errors import AddressNotAllowed
from antiphon.net.guard import Guard
from antiphon.settings.tools import McpServerSettings, ToolsSettings, WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.mcp.http import http_client
from antiphon.tools.mcp.servers import McpServer
from tests.support.proxy import Proxy
from tests.support.upstream import Upstream, reply

URL = "http://service.test/v1/chat/completions"


def test_the_search_provider_has_a_proxy() -> None:
    async def run(proxy: Proxy | None) -> int:
        secret = None if proxy is None else Secret(proxy.url)
        services = await ToolServices.open(ToolsSettings(web_search=WebSearchSettings(proxy=secret)))
        try:
            return (await services.client.post(URL, json={})).status_code
        finally:
            await services.close()

    with Upstream() as upstream, Proxy({"service.test:80": upstream.port}) as proxy:
        upstream.script(reply())
        assert asyncio.run(run(proxy)) == 200
        assert proxy.asked == [f"POST {URL} HTTP/1.1"]
        with pytest.raises(httpx2.ConnectError):
            asyncio.run(run(None))


def test_only_an_mcp_server_of_the_settings_has_a_proxy() -> None:
    async def run(proxy: Proxy, name: str | None) -> int:
        settings = McpServerSettings(url=URL, proxy=Secret(proxy.url))
        server = McpServer("label", settings, "tools[0].server_url", name)
        async with http_client(server, Guard()) as client:
            return (await client.post("http://127.0.0.1/", json={})).status_code

    with Upstream() as upstream, Proxy({"127.0.0.1:80": upstream.port}) as proxy:
        upstream.script(reply())
        # The proxy could reach what the guard forbids.
        with pytest.raises(AddressNotAllowed):
            asyncio.run(run(proxy, None))
        assert proxy.asked == []
        assert asyncio.run(run(proxy, "configured")) == 200
        assert len(proxy.asked) == 1
