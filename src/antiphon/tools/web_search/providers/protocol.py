"""The interface of search providers: queries, results and needs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from antiphon.settings.tools import SearchProviderNeeds, WebSearchSettings
from antiphon.wire.json import JSONObject

if TYPE_CHECKING:
    import httpx2

Client = Callable[[], "httpx2.AsyncClient"]
"""Return the HTTP client, which is loaded for the first provider that uses it."""

MAX_SITES = 10
"""The most `site:` operators in a query, since engines accept only about 30 words."""

ContextSize = Literal["low", "medium", "high"]
"""The values of `search_context_size`."""
DEFAULT_SIZE: ContextSize = "medium"
"""The `search_context_size` of requests that name none."""

MAX_RESULTS = {"low": 3, "medium": 5, "high": 10}
"""The number of results of a search, by `search_context_size`."""


class Search(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One search, in its recorded form without default values."""

    query: str
    """The query of the model."""
    allowed_domains: tuple[str, ...] = ()
    """The domains, with their subdomains, of allowed pages; empty allows all."""
    context_size: ContextSize = DEFAULT_SIZE
    """The `search_context_size` of the request."""
    country: str | None = None
    """The user's country as an upper-case ISO 3166-1 code of two letters."""
    region: str | None = None
    """The user's region."""
    city: str | None = None
    """The user's city."""
    timezone: str | None = None
    """The user's time zone."""

    def with_query(self, query: str) -> Self:
        """Return the same search with another query."""
        return msgspec.structs.replace(self, query=query)

    @property
    def arguments(self) -> JSONObject:
        """The search as tool call arguments; `msgspec.convert` restores the search."""
        arguments: JSONObject = msgspec.json.decode(msgspec.json.encode(self))
        return arguments

    @property
    def domains(self) -> JSONObject:
        """The allowed domains as tool call arguments; empty if all are allowed."""
        return {"allowed_domains": list(self.allowed_domains)} if self.allowed_domains else {}

    @property
    def max_results(self) -> int:
        """The number of results to return."""
        return MAX_RESULTS[self.context_size]

    @property
    def query_with_sites(self) -> str:
        """The query with `site:` operators, for providers without a domain parameter."""
        sites = [f"site:{domain}" for domain in self.allowed_domains]
        return f"{self.query} {' OR '.join(sites)}" if 0 < len(sites) <= MAX_SITES else self.query


class SearchResult(Struct, kw_only=True):
    """One result; the order of its keys is llama-stack's order for the model."""

    url: str
    """The URL of the page."""
    title: str
    """The title of the page."""
    content: str
    """The provider's excerpt or summary of the page, in plain text."""
    score: float | None = None
    """The relevance by the provider's own measure, if it returns one."""
    raw_content: str | None = None
    """The full text of the page, if the provider returns it."""


class SearchProvider(Protocol):
    """A service that searches the web."""

    async def search(self, search: Search) -> list[SearchResult]:
        """Return the results, best first, or an empty list.

        `WebCalls` limits the time, the number of results and their size, and drops those on other domains.

        Raises:
            UpstreamError: The service failed.
        """
        ...


class ProviderEntry(SearchProviderNeeds, frozen=True, kw_only=True):
    """A provider with its needs, for the tuple of all providers."""

    open: Callable[[WebSearchSettings, Client], SearchProvider]
    """Return the provider for settings that are complete for it."""


def wanted(results: list[SearchResult], search: Search, max_bytes: int) -> list[SearchResult]:
    """Return the web pages on allowed domains, up to the requested number.

    All texts together have at most `max_bytes` of UTF-8; longer ones are truncated.
    """
    kept: list[SearchResult] = []
    for result in results:
        if len(kept) == search.max_results or max_bytes <= 0:
            break
        if is_allowed(result.url, search.allowed_domains):
            result.content = shortened(result.content, max_bytes)
            max_bytes -= len(result.content.encode())
            if result.raw_content is not None:
                result.raw_content = shortened(result.raw_content, max_bytes)
                max_bytes -= len(result.raw_content.encode())
            kept.append(result)
    return kept


def is_allowed(url: str, allowed_domains: tuple[str, ...]) -> bool:
    """Return whether `url` is a web page on an allowed domain or a subdomain."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    return not allowed_domains or any(host == each or host.endswith(f".{each}") for each in allowed_domains)


def shortened(text: str, max_bytes: int) -> str:
    """Return the beginning of `text` with at most `max_bytes` of UTF-8."""
    return text.encode()[: max(max_bytes, 0)].decode(errors="ignore")


def plain(text: object) -> str:
    """Return a text without NUL, which PostgreSQL can't store; empty for other values."""
    return text.replace("\0", "") if isinstance(text, str) else ""
