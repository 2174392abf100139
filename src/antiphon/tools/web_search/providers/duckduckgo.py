"""Web search through DuckDuckGo's page without JavaScript, with `ddgs`."""

import asyncio
import math
from collections.abc import Callable
from functools import partial

from antiphon.settings.values import Secret
from antiphon.tools.web_search.providers.countries import LANGUAGES
from antiphon.tools.web_search.providers.protocol import ProviderEntry, Search, SearchResult, plain
from antiphon.wire.json import JSONObject

Page = Callable[[str, str, int], list[JSONObject]]
"""A function that searches for a query in a region (`us-en`), with a time limit."""

_ANYWHERE = "wt-wt"


class DuckDuckGo:
    """A `SearchProvider` without a key; DuckDuckGo throttles or refuses frequent use.

    Domains become `site:` operators, and the country becomes DuckDuckGo's region.
    """

    def __init__(self, timeout: float, first_page: Page) -> None:
        self._timeout = math.ceil(timeout)
        self._first_page = first_page

    async def search(self, search: Search) -> list[SearchResult]:
        """Return the results of the first page, without scores."""
        found = await asyncio.to_thread(
            self._first_page, search.query_with_sites, _region(search.country), self._timeout
        )
        return [
            SearchResult(
                url=plain(result.get("href")),
                title=plain(result.get("title")),
                content=plain(result.get("body")),
            )
            for result in found
        ]


DUCKDUCKGO = ProviderEntry(
    name="duckduckgo",
    base_url="https://html.duckduckgo.com",
    open=lambda settings, client: DuckDuckGo(settings.timeout, page_through(settings.proxy)),
)


def _region(country: str | None) -> str:
    if country not in LANGUAGES:
        return _ANYWHERE
    return f"{'uk' if country == 'GB' else country.lower()}-{LANGUAGES[country]}"


def page_through(proxy: Secret | None) -> Page:
    """Return the function that searches, through a proxy if there is one."""
    return partial(_page, None if proxy is None else proxy.reveal())


def _page(proxy: str | None, query: str, region: str, timeout: int) -> list[JSONObject]:
    # Imported late: it loads its own TLS library, which servers with another provider don't need.
    from antiphon.tools.web_search.providers.duckduckgo_page import first_page

    return first_page(query, region, timeout, proxy)
