"""Opens pages of the web and finds text in them."""

import asyncio
import re
from collections.abc import Iterator

from antiphon.errors import InvalidRequest, UpstreamError
from antiphon.tools.context import ToolServices
from antiphon.tools.page_cache import Page
from antiphon.tools.web_search.providers.protocol import is_allowed, plain
from antiphon.wire.json import JSONObject

OPENED_CHARACTERS = 20_000
"""How much of a page the model is shown at once: some 5,000 tokens."""
MAX_MATCHES = 10
"""How many places are shown where a text was found."""
_AROUND = 300
"""Characters that are shown before and after what was found."""


class WebPages:
    """Reads pages: guarded, within the limits of the settings, and once in a while for all who ask."""

    def __init__(self, services: ToolServices) -> None:
        self._services = services

    async def open(self, url: str, allowed_domains: tuple[str, ...]) -> JSONObject:
        """Returns the beginning of a page's text as the one entry of `results`; raises `UpstreamError`."""
        page = await self._page(url, allowed_domains)
        text = page.text[:OPENED_CHARACTERS]
        if left := len(page.text) - len(text):
            text += f"\n[{left} more characters; find_in_page finds text in them]"
        return {"url": url, "results": [_entry(page, text)]}

    async def find(self, url: str, pattern: str, allowed_domains: tuple[str, ...]) -> JSONObject:
        """Returns the places of a page where a text stands, an entry of `results` each.

        Upper and lower case are the same, and so is all white space. Raises `UpstreamError`.
        """
        page = await self._page(url, allowed_domains)
        results = [_entry(page, place) for place in _places(page.text, pattern)]
        return {"url": url, "pattern": pattern, "results": results}

    async def _page(self, url: str, allowed_domains: tuple[str, ...]) -> Page:
        """Reads a page; allowed domains hold for where a redirect leads, too."""
        self._check(url, allowed_domains)
        page = self._services.pages.get(url)
        if page is None:
            page = await self._read(url)
            self._services.pages.put(url, page)
        self._check(page.url, allowed_domains)
        return page

    async def _read(self, url: str) -> Page:
        # Only when a page is read: they would lengthen every start.
        from antiphon.net.fetch import fetch
        from antiphon.net.readable import readable

        limits = self._services.settings.web_search
        try:
            fetched = await fetch(
                self._services.guard, url, seconds=limits.timeout, max_bytes=limits.max_bytes, param=None
            )
        except InvalidRequest as error:  # The address is the model's: nothing is wrong with the request.
            raise UpstreamError(error.message) from error
        text = await asyncio.to_thread(readable, fetched, limits.max_bytes)
        if text is None:
            raise UpstreamError(
                f"There is no text at {url[:300]}: its type is {fetched.content_type[:100]!r}."
            )
        return Page(fetched.url, plain(text.title), plain(text.text))

    def _check(self, url: str, allowed_domains: tuple[str, ...]) -> None:
        if allowed_domains and not is_allowed(url, allowed_domains):
            raise UpstreamError(f"Only pages of these domains may be opened: {', '.join(allowed_domains)}.")


def _entry(page: Page, content: str) -> JSONObject:
    return {"url": page.url, "title": page.title, "content": content}


def _places(text: str, pattern: str) -> Iterator[str]:
    """Yields what stands around the places, none of them twice."""
    words = re.compile(r"\s+".join(map(re.escape, pattern.split())), re.IGNORECASE)
    shown_until, count = 0, 0
    for match in words.finditer(text):
        if match.start() < shown_until or count == MAX_MATCHES:
            continue
        shown_until, count = match.end() + _AROUND, count + 1
        yield text[max(match.start() - _AROUND, 0) : shown_until]
