"""What every provider of web searches takes and gives."""

from typing import Literal, Protocol, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from antiphon.wire.json import JSONObject

MAX_SITES = 10
"""How many domains are put into a query as `site:`; search engines take no more than some 30 words."""

MAX_RESULTS = {"low": 3, "medium": 5, "high": 10}
"""How many results a search gives, by `search_context_size`."""


class Search(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One search, as it is recorded: what the request leaves open is left out."""

    query: str
    allowed_domains: tuple[str, ...] = ()
    """Only pages of these and of their subdomains are wanted; empty: all are."""
    context_size: Literal["low", "medium", "high"] = "medium"
    country: str | None = None
    """ISO 3166-1 code of two letters, in capitals."""
    region: str | None = None
    city: str | None = None
    timezone: str | None = None

    def with_query(self, query: str) -> Self:
        """Returns the same search for another query."""
        return msgspec.structs.replace(self, query=query)

    @property
    def arguments(self) -> JSONObject:
        """The search as arguments of a tool call, which `msgspec.convert` turns into a search again."""
        arguments: JSONObject = msgspec.json.decode(msgspec.json.encode(self))
        return arguments

    @property
    def domains(self) -> JSONObject:
        """The allowed domains as arguments of a tool call; nothing where all are allowed."""
        return {"allowed_domains": list(self.allowed_domains)} if self.allowed_domains else {}

    @property
    def max_results(self) -> int:
        """How many results are wanted."""
        return MAX_RESULTS[self.context_size]

    @property
    def query_with_sites(self) -> str:
        """The query with `site:` operators, for providers that have no parameter for domains."""
        sites = [f"site:{domain}" for domain in self.allowed_domains]
        return f"{self.query} {' OR '.join(sites)}" if 0 < len(sites) <= MAX_SITES else self.query


class SearchResult(Struct, kw_only=True):
    """One result, with the keys in the order in which llama-stack shows them to the model."""

    url: str
    title: str
    content: str
    """What the provider tells of the page: an excerpt or a summary, in plain text."""
    score: float | None = None
    """How well the page fits, by the provider's own measure; None where it tells none."""
    raw_content: str | None = None


class SearchProvider(Protocol):
    """A service that searches the web."""

    async def search(self, search: Search) -> list[SearchResult]:
        """Returns what the service found, best first; an empty list if nothing.

        Raises `UpstreamError`. The caller bounds the time, the number of results and their size, and leaves
        out what is not on an allowed domain.
        """
        ...


def wanted(results: list[SearchResult], search: Search, max_bytes: int) -> list[SearchResult]:
    """Returns the results that count: pages of the web, of allowed domains, as many as were asked for.

    Texts are cut where all of them together are longer than `max_bytes` in UTF-8.
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
    """Whether `url` is a page of the web, and on one of the domains or a subdomain, if any are given."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    return not allowed_domains or any(host == each or host.endswith(f".{each}") for each in allowed_domains)


def shortened(text: str, max_bytes: int) -> str:
    """Returns the beginning of `text` that fits into `max_bytes` of UTF-8."""
    return text.encode()[: max(max_bytes, 0)].decode(errors="ignore")


def plain(text: object) -> str:
    """Returns a provider's text without NUL characters, which PostgreSQL cannot keep; empty for no text."""
    return text.replace("\0", "") if isinstance(text, str) else ""
