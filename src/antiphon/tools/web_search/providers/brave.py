"""Web search through Brave.

Source: https://api-dashboard.search.brave.com/app/documentation/web-search
"""

import html
from typing import TYPE_CHECKING

from antiphon.settings.tools import WebSearchSettings
from antiphon.tools.web_search.providers.http import SearchService, dicts
from antiphon.tools.web_search.providers.protocol import ProviderEntry, Search, SearchResult, plain

if TYPE_CHECKING:
    import httpx2

BASE_URL = "https://api.search.brave.com"
_COUNTRIES = """
AR AT AU BE BR CA CH CL CN DE DK ES FI FR GB HK ID IN IT JP KR MX MY NL NO NZ PH PL PT RU SA SE TR TW US ZA
"""
"""The values that `country` accepts; the header for the location accepts all."""
_MAX_QUERY = 400


class Brave:
    """A `SearchProvider`; it uses `site:` operators, and headers for the location."""

    def __init__(self, client: "httpx2.AsyncClient", settings: WebSearchSettings) -> None:
        api_key = settings.api_key
        assert api_key is not None
        self._service = SearchService(client, "brave", settings.base_url or BASE_URL, api_key)
        self._headers = {"X-Subscription-Token": api_key.reveal()}

    async def search(self, search: Search) -> list[SearchResult]:
        """Return the results in Brave's order, without scores."""
        query = search.query_with_sites
        parameters = {
            "q": (query if len(query) <= _MAX_QUERY else search.query)[:_MAX_QUERY],
            # More results, because those on other domains are dropped later if the query has no operators.
            "count": "20" if search.allowed_domains else str(search.max_results),
            "text_decorations": "false",
        }
        if search.country and search.country in _COUNTRIES:
            parameters["country"] = search.country
        place = {
            "X-Loc-Country": search.country,
            "X-Loc-State-Name": search.region,
            "X-Loc-City": search.city,
            "X-Loc-Timezone": search.timezone,
        }
        headers = self._headers | {name: value for name, value in place.items() if value}
        answer = await self._service.get("/res/v1/web/search", parameters, headers)
        web = answer.get("web")
        return [
            SearchResult(
                url=plain(result.get("url")),
                title=html.unescape(plain(result.get("title"))),
                content=html.unescape(plain(result.get("description"))),
            )
            for result in dicts(web.get("results") if isinstance(web, dict) else None)
        ]


BRAVE = ProviderEntry(
    name="brave",
    needs="api_key",
    variable="BRAVE_API_KEY",
    base_url=BASE_URL,
    open=lambda settings, client: Brave(client(), settings),
)
