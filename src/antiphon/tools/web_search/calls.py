"""Real calls of web search: searching, opening a page, finding text in it."""

import asyncio
from typing import Literal

import msgspec

from antiphon.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.pages import WebPages
from antiphon.tools.web_search.providers.protocol import Search, SearchProvider, wanted
from antiphon.wire.json import JSON, JSONObject

PAGES = "web"
"""The provider of pages in recordings, since the server itself reads all pages."""


class WebCalls:
    """`ToolCalls` to the web, with the limits of the settings."""

    is_repeatable: Literal[True] = True

    def __init__(self, services: ToolServices, provider: SearchProvider) -> None:
        self._limits = services.settings.web_search
        self._slots = services.slots
        self._provider = provider
        self._pages = WebPages(services)

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Search the web, or read a page.

        Returns:
            An object with `query` and `top_k` for a search, or with `results` for a page.

        Raises:
            UpstreamError: The provider or the page's server failed.
        """
        async with self._slots.of("web_search", self._limits.concurrency):
            try:
                async with asyncio.timeout(self._limits.timeout):
                    return await self._made(name, arguments)
            except TimeoutError as error:
                text = f"Web search ({provider}): no answer within {self._limits.timeout:g} s"
                raise UpstreamTimeout(text) from error

    async def _made(self, name: str, arguments: JSONObject) -> JSONObject:
        domains = tuple(arguments.get("allowed_domains", ()))
        if name == "open_page":
            return await self._pages.open(arguments["url"], domains)
        if name == "find_in_page":
            return await self._pages.find(arguments["url"], arguments["pattern"], domains)
        search = msgspec.convert(arguments, Search)
        results = wanted(await self._provider.search(search), search, self._limits.max_bytes)
        return {"query": search.query, "top_k": msgspec.to_builtins(results)}


def results_of(value: JSON) -> list[JSONObject]:
    """Return a tool call's results: the entries of `top_k`, or a page's `results`.

    llama-stack records them as JSON text in `content`, or as an `error_message` (its `ToolInvocationResult`).

    Raises:
        UpstreamError: The value has an `error_message`, or another form.
    """
    if isinstance(value, dict) and value.get("error_message"):
        raise UpstreamError(str(value["error_message"]))
    if isinstance(value, dict) and isinstance(content := value.get("content"), str):
        try:
            value = msgspec.json.decode(content)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _broken() from error
    if not isinstance(value, dict):
        raise _broken()
    results = value.get("top_k", value.get("results"))
    if not isinstance(results, list) or not all(_is_result(result) for result in results):
        raise _broken()
    return results


def _is_result(result: JSON) -> bool:
    return isinstance(result, dict) and isinstance(result.get("url"), str)


def _broken() -> UpstreamBroken:
    return UpstreamBroken("Web search: its result is not a list of pages")
