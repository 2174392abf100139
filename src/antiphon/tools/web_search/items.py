"""Items of web searches: for the model, for the client, and the tool as responses show it."""

import json
from collections.abc import Container

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.items import error_in
from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.items import WebSearchCall
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import WebSearchTool

_RESULTS, _SOURCES = "web_search_call.results", "web_search_call.action.sources"
_PAGE_ACTIONS = {"open_page": ("url",), "find_in_page": ("url", "pattern")}
"""Further actions of web search, each a function of its own, with their arguments."""


class WebSearchItems(HostedKind[WebSearchCall]):
    """Calls of web search and of its page actions."""

    item = WebSearchCall
    includes = (_RESULTS, _SOURCES)

    def function(self, item: WebSearchCall) -> CalledFunction:
        """Return the search, or the action on a page."""
        name, arguments = _action(item)
        return CalledFunction(name, name, json.dumps(arguments))

    def output(self, item: WebSearchCall) -> str | None:
        """Return the results as JSON, or the error; None if the item does not hold them."""
        if not isinstance(item.results, list):
            return None
        error = error_in(item.results)
        if error is not None:
            return error
        name, arguments = _action(item)
        results = {"top_k" if name == "web_search" else "results": item.results}
        # Python's separators, as in the recordings of llama-stack.
        return json.dumps(arguments | results)

    def for_client(self, item: WebSearchCall, include: Container[str]) -> WebSearchCall:
        """Return the item without results and sources, unless they are included; errors never are."""
        changes: dict[str, object] = {}
        shows_results = _RESULTS in include and error_in(item.results) is None
        if item.results is not UNSET and not shows_results:
            changes["results"] = UNSET
        if item.action and "sources" in item.action and _SOURCES not in include:
            changes["action"] = {name: item.action[name] for name in item.action if name != "sources"}
        return msgspec.structs.replace(item, **changes) if changes else item

    def has_failed(self, item: WebSearchCall) -> bool:
        """Return whether the search has failed."""
        return item.status == "failed" or error_in(item.results) is not None


def echo(tool: WebSearchTool) -> WebSearchTool:
    """Return the tool with its defaults, and a location with every key, as api.openai.com does."""
    location = {"type": "approximate", "city": None, "country": None, "region": None, "timezone": None}
    return msgspec.structs.replace(
        tool,
        search_context_size=tool.search_context_size or "medium",
        user_location=location | tool.user_location if tool.user_location else tool.user_location,
    )


def _action(item: WebSearchCall) -> tuple[str, JSONObject]:
    action = item.action or {}
    kind = action.get("type")
    if isinstance(kind, str) and kind in _PAGE_ACTIONS:
        return kind, {name: action.get(name) or "" for name in _PAGE_ACTIONS[kind]}
    queries = action.get("queries")
    joined = "\n".join(map(str, queries)) if isinstance(queries, list) else ""
    return "web_search", {"query": action.get("query") or joined}
