"""Limits of calls, and the choice of the provider by the settings."""

import asyncio

import pytest

from antiphon.errors import UpstreamTimeout
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.calls import WebCalls
from antiphon.tools.web_search.providers import search_provider
from antiphon.tools.web_search.providers.brave import Brave
from antiphon.tools.web_search.providers.duckduckgo import DuckDuckGo
from antiphon.tools.web_search.providers.protocol import Search, SearchProvider, SearchResult
from antiphon.tools.web_search.providers.searxng import SearXng
from antiphon.tools.web_search.providers.tavily import Tavily
from antiphon.wire.json import JSON
from tests.tools.web_search.searching import run


class Provider:
    """Counts how many searches run at a time; each ends once `done` is set."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.done = asyncio.Event()

    async def search(self, search: Search) -> list[SearchResult]:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.done.wait()
        self.running -= 1
        return [SearchResult(url="https://a.com/", title="t", content="é" * 10)]


def test_no_more_calls_run_at_a_time_than_is_set() -> None:
    async def work(given: ToolServices) -> tuple[int, int, list[JSON]]:
        provider = Provider()
        # Each request has its own object for calls; the limit is one for the server.
        calls = [WebCalls(given, provider).call("p", "web_search", {"query": str(n)}) for n in range(6)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        for _ in range(100):  # enough turns of the event loop for all of them to begin
            await asyncio.sleep(0)
        begun = provider.running
        provider.done.set()
        return begun, provider.most, await asyncio.gather(*tasks)

    begun, most, found = run(work, WebSearchSettings(concurrency=2))
    assert (begun, most) == (2, 2)
    assert [each["query"] for each in found] == ["0", "1", "2", "3", "4", "5"]


def test_a_call_that_takes_too_long_is_left_and_makes_room() -> None:
    async def work(given: ToolServices) -> JSON:
        provider = Provider()
        calls = WebCalls(given, provider)
        with pytest.raises(UpstreamTimeout, match=r"Web search \(p\): no answer within 0.01 s"):
            await calls.call("p", "web_search", {"query": "q"})
        provider.done.set()
        return await calls.call("p", "web_search", {"query": "q"})

    assert run(work, WebSearchSettings(concurrency=1, timeout=0.01))["query"] == "q"


def test_results_are_cut_to_the_size_that_is_set() -> None:
    async def work(given: ToolServices) -> JSON:
        provider = Provider()
        provider.done.set()
        return await WebCalls(given, provider).call("p", "web_search", {"query": "q"})

    [result] = run(work, WebSearchSettings(max_bytes=5))["top_k"]
    assert result == {
        "url": "https://a.com/",
        "title": "t",
        "content": "éé",
        "score": None,
        "raw_content": None,
    }


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (WebSearchSettings(), DuckDuckGo),
        (WebSearchSettings(provider="tavily", api_key=Secret("k")), Tavily),
        (WebSearchSettings(provider="brave", api_key=Secret("k")), Brave),
        (WebSearchSettings(provider="searxng", base_url="http://localhost:1"), SearXng),
    ],
)
def test_the_settings_choose_the_provider(settings: WebSearchSettings, kind: type[SearchProvider]) -> None:
    async def work(given: ToolServices) -> SearchProvider:
        return search_provider(settings, lambda: given.client)

    assert type(run(work, settings)) is kind
