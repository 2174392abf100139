"""Web search through a SearXNG instance.

Source: https://docs.searxng.org/dev/search_api.html
"""

from typing import TYPE_CHECKING

from antiphon.errors import UpstreamRefused
from antiphon.settings.tools import WebSearchSettings
from antiphon.tools.web_search.providers.countries import LANGUAGES
from antiphon.tools.web_search.providers.http import SearchService, dicts
from antiphon.tools.web_search.providers.protocol import ProviderEntry, Search, SearchResult, plain

if TYPE_CHECKING:
    import httpx2


class SearXng:
    """A `SearchProvider` that uses `site:` operators, and a locale for the country.

    SearXNG itself has no API keys; a configured key is sent as a bearer token for a proxy in front of it.
    """

    def __init__(self, client: "httpx2.AsyncClient", settings: WebSearchSettings) -> None:
        assert settings.base_url is not None
        api_key = settings.api_key
        self._service = SearchService(client, "searxng", settings.base_url, api_key)
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key.reveal()}"}

    async def search(self, search: Search) -> list[SearchResult]:
        """Return the results in the order of SearXNG's scores."""
        query = {"q": search.query_with_sites, "format": "json"}
        if search.country in LANGUAGES:
            query["language"] = f"{LANGUAGES[search.country]}-{search.country}"
        try:
            answer = await self._service.get("/search", query, self._headers)
        except UpstreamRefused as error:
            if error.upstream_status != 403:
                raise
            hint = f"{error.message} (enable JSON in its settings.yml: search.formats: [html, json])"
            raise UpstreamRefused(hint, upstream_status=403) from error
        return [
            SearchResult(
                url=plain(result.get("url")),
                title=plain(result.get("title")),
                content=plain(result.get("content")),
                score=score if isinstance(score := result.get("score"), int | float) else None,
            )
            for result in dicts(answer.get("results"))
        ]


SEARXNG = ProviderEntry(
    name="searxng",
    needs="base_url",
    variable="SEARXNG_URL",
    open=lambda settings, client: SearXng(client(), settings),
)
