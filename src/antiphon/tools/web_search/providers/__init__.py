"""Search providers, one per module, and the tuple that lists them."""

from antiphon.settings.tools import WebSearchSettings
from antiphon.tools.web_search.providers.brave import BRAVE
from antiphon.tools.web_search.providers.duckduckgo import DUCKDUCKGO
from antiphon.tools.web_search.providers.protocol import Client, SearchProvider
from antiphon.tools.web_search.providers.searxng import SEARXNG
from antiphon.tools.web_search.providers.tavily import TAVILY

SEARCH_PROVIDERS = (TAVILY, BRAVE, SEARXNG, DUCKDUCKGO)
"""The search providers; settings without one take the first whose variable is set."""

_BY_NAME = {entry.name: entry for entry in SEARCH_PROVIDERS}


def search_provider(settings: WebSearchSettings, client: Client) -> SearchProvider:
    """Return the provider in the settings, which are complete for it."""
    return _BY_NAME[settings.provider].open(settings, client)


def is_search_provider(name: str) -> bool:
    """Return whether a search provider has this name."""
    return name in _BY_NAME
