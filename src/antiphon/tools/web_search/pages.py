"""Reading of web pages and search in their text."""

import asyncio
import re
from collections.abc import Iterator

from antiphon.errors import InvalidRequest, UpstreamError
from antiphon.tools.context import ToolServices
from antiphon.tools.page_cache import Page
from antiphon.tools.web_search.providers.protocol import is_allowed, plain
from antiphon.wire.json import JSONObject

OPENED_CHARACTERS = 20_000
"""The most characters of a page that the model gets at once, about 5,000 tokens."""
MAX_MATCHES = 10
"""The most matches that the model gets."""
_AROUND = 300
"""Characters before and after a match."""


class WebPages:
    """A guarded reader of web pages, with limits and a cache shared by all requests."""

    def __init__(self, services: ToolServices) -> None:
        self._services = services

    async def open(self, url: str, allowed_domains: tuple[str, ...]) -> JSONObject:
        """Return the beginning of a page's text as the only entry of `results`.

        Raises:
            UpstreamError: The page can't be read, or isn't on an allowed domain.
        """
        page = await self._page(url, allowed_domains)
        text = page.text[:OPENED_CHARACTERS]
        if left := len(page.text) - len(text):
            text += f"\n[{left} more characters; find_in_page finds text in them]"
        return {"url": url, "results": [_entry(page, text)]}

    async def find(self, url: str, pattern: str, allowed_domains: tuple[str, ...]) -> JSONObject:
        """Return the matches of a text in a page, each as an entry of `results`.

        Matching ignores case, and all white space is equal.

        Raises:
            UpstreamError: The page can't be read, or isn't on an allowed domain.
        """
        page = await self._page(url, allowed_domains)
        results = [_entry(page, place) for place in _places(page.text, pattern)]
        return {"url": url, "pattern": pattern, "results": results}

    async def _page(self, url: str, allowed_domains: tuple[str, ...]) -> Page:
        """Return a page; the target of a redirect must be on an allowed domain, too."""
        self._check(url, allowed_domains)
        page = self._services.pages.get(url)
        if page is None:
            page = await self._read(url)
            self._services.pages.put(url, page)
        self._check(page.url, allowed_domains)
        return page

    async def _read(self, url: str) -> Page:
        # Imported late: few requests read pages, and the imports slow down startup.
        from antiphon.net.fetch import fetch
        from antiphon.net.readable import readable

        limits = self._services.settings.web_search
        try:
            fetched = await fetch(
                self._services.guard, url, seconds=limits.timeout, max_bytes=limits.max_bytes, param=None
            )
        except InvalidRequest as error:  # The URL comes from the model, so the client's request is valid.
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
    """Yield the matches with the text around them, without repeating text."""
    words = re.compile(r"\s+".join(map(re.escape, pattern.split())), re.IGNORECASE)
    shown_until, count = 0, 0
    for match in words.finditer(text):
        if match.start() < shown_until or count == MAX_MATCHES:
            continue
        shown_until, count = match.end() + _AROUND, count + 1
        yield text[max(match.start() - _AROUND, 0) : shown_until]
