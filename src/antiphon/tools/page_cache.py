"""Cache of web pages as text."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_AGE = 15 * 60.0
"""Seconds until a page is fetched again: a model opens a page, then searches in it."""
MAX_BYTES = 32 * 1024 * 1024
"""Characters of text that the server keeps."""


@dataclass(frozen=True)
class Page:
    """Readable text of a page."""

    url: str
    """The URL after all redirects."""
    title: str
    text: str


class PageCache:
    """Pages by the requested URL; the least recently used are dropped first."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        max_age: float = MAX_AGE,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pages: OrderedDict[str, tuple[float, int, Page]] = OrderedDict()

    def get(self, url: str) -> Page | None:
        """Return the cached page of `url`, or None."""
        kept = self._pages.get(url)
        if kept is None:
            return None
        read_at, _, page = kept
        if self._clock() - read_at > self._max_age:
            self._drop(url)
            return None
        self._pages.move_to_end(url)
        return page

    def put(self, url: str, page: Page) -> None:
        """Keep the page of `url`, unless it alone would fill the cache."""
        if url in self._pages:
            self._drop(url)
        size = len(url) + len(page.url) + len(page.title.encode()) + len(page.text.encode())
        if size <= self._max_bytes:
            self._pages[url] = (self._clock(), size, page)
            self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._pages)))

    def _drop(self, url: str) -> None:
        _, size, _ = self._pages.pop(url)
        self._bytes -= size
