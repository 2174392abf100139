"""Web search through Tavily.

Source: https://docs.tavily.com/documentation/api-reference/endpoint/search
"""

from typing import TYPE_CHECKING

from antiphon.settings.tools import WebSearchSettings
from antiphon.tools.web_search.providers.countries import NAMES
from antiphon.tools.web_search.providers.http import SearchService, dicts
from antiphon.tools.web_search.providers.protocol import ProviderEntry, Search, SearchResult, plain
from antiphon.wire.json import JSONObject

if TYPE_CHECKING:
    import httpx2

BASE_URL = "https://api.tavily.com"
_MAX_DOMAINS = 300


class Tavily:
    """A `SearchProvider` with parameters for domains and the country only."""

    def __init__(self, client: "httpx2.AsyncClient", settings: WebSearchSettings) -> None:
        api_key = settings.api_key
        assert api_key is not None
        self._service = SearchService(client, "tavily", settings.base_url or BASE_URL, api_key)
        self._headers = {"Authorization": f"Bearer {api_key.reveal()}"}

    async def search(self, search: Search) -> list[SearchResult]:
        """Return the results in Tavily's order, with its scores."""
        body: JSONObject = {
            "query": search.query,
            "max_results": search.max_results,
            # The advanced depth costs two credits and returns longer excerpts.
            "search_depth": "advanced" if search.context_size == "high" else "basic",
        }
        if search.allowed_domains:
            body["include_domains"] = list(search.allowed_domains[:_MAX_DOMAINS])
        if search.country in NAMES:
            body["country"] = NAMES[search.country]
        answer = await self._service.post("/search", body, self._headers)
        return [
            SearchResult(
                url=plain(result.get("url")),
                title=plain(result.get("title")),
                content=plain(result.get("content")),
                score=score if isinstance(score := result.get("score"), int | float) else None,
                raw_content=plain(result.get("raw_content")) or None,
            )
            for result in dicts(answer.get("results"))
        ]


TAVILY = ProviderEntry(
    name="tavily",
    needs="api_key",
    variable="TAVILY_API_KEY",
    base_url=BASE_URL,
    open=lambda settings, client: Tavily(client(), settings),
)
