"""Web searches through DuckDuckGo's page for browsers without scripts, read by the library `ddgs`."""

import asyncio
import math
from collections.abc import Callable

from antiphon.tools.web_search.providers.countries import LANGUAGES
from antiphon.tools.web_search.providers.protocol import Search, SearchResult, plain
from antiphon.wire.json import JSONObject

Page = Callable[[str, str, int], list[JSONObject]]
"""Asks for a query and a region such as `us-en`, within a number of seconds."""

_ANYWHERE = "wt-wt"


class DuckDuckGo:
    """A `SearchProvider` that needs no key. DuckDuckGo slows down or refuses those who ask often.

    Domains go out as `site:` operators, the country as DuckDuckGo's region.
    """

    def __init__(self, timeout: float, first_page: Page | None = None) -> None:
        self._timeout = math.ceil(timeout)
        self._first_page = first_page or _page

    async def search(self, search: Search) -> list[SearchResult]:
        """Returns the results of the first page; there are no scores."""
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


def _region(country: str | None) -> str:
    if country not in LANGUAGES:
        return _ANYWHERE
    return f"{'uk' if country == 'GB' else country.lower()}-{LANGUAGES[country]}"


def _page(query: str, region: str, timeout: int) -> list[JSONObject]:
    # Imported here: it brings a TLS library of its own, which servers with another provider do not need.
    from antiphon.tools.web_search.providers.duckduckgo_page import first_page

    return first_page(query, region, timeout)
