"""Search providers, one per module, and the table that chooses among them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from antiphon.settings.tools import SearchProvider as Name
from antiphon.settings.tools import WebSearchSettings
from antiphon.tools.web_search.providers.brave import Brave
from antiphon.tools.web_search.providers.duckduckgo import DuckDuckGo
from antiphon.tools.web_search.providers.protocol import SearchProvider
from antiphon.tools.web_search.providers.searxng import SearXng
from antiphon.tools.web_search.providers.tavily import Tavily

if TYPE_CHECKING:
    import httpx2

Client = Callable[[], "httpx2.AsyncClient"]
"""Return the HTTP client, which is loaded for the first provider that uses it."""

_PROVIDERS: dict[Name, Callable[[WebSearchSettings, Client], SearchProvider]] = {
    "duckduckgo": lambda settings, client: DuckDuckGo(settings.timeout),
    "tavily": lambda settings, client: Tavily(client(), settings),
    "brave": lambda settings, client: Brave(client(), settings),
    "searxng": lambda settings, client: SearXng(client(), settings),
}


def search_provider(settings: WebSearchSettings, client: Client) -> SearchProvider:
    """Return the provider in the settings, which are complete for it."""
    return _PROVIDERS[settings.provider](settings, client)
