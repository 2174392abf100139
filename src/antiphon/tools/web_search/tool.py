"""Web search as a hosted tool, for each of the names that it has on the wire."""

from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.items import error_results
from antiphon.engine.ports import HostedCall, ToolCalls
from antiphon.errors import AntiphonError, UpstreamError
from antiphon.ids import ITEM_PREFIXES
from antiphon.tools.base import BasicCall, BasicTool
from antiphon.tools.context import ToolContext
from antiphon.tools.web_search.calls import PAGES, WebCalls, results_of, search_provider
from antiphon.tools.web_search.options import template
from antiphon.tools.web_search.providers.protocol import plain
from antiphon.wire.chat import ChatTool
from antiphon.wire.events import (
    Event,
    OutputItemAdded,
    OutputItemDone,
    WebSearchCallCompleted,
    WebSearchCallInProgress,
    WebSearchCallSearching,
)
from antiphon.wire.items import WebSearchCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import WebSearchTool


def _function(name: str, description: str, **arguments: str) -> ChatTool:
    properties = {key: {"type": "string", "description": text} for key, text in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


SEARCH = _function("web_search", "Search the web for information", query="The query to search for")
"""llama-stack's words, which its recordings hold."""
PAGE_FUNCTIONS = [
    _function("open_page", "Open a page of the web and read its text", url="The address of the page"),
    _function(
        "find_in_page",
        "Find text in a page of the web",
        url="The address of the page",
        pattern="The text to look for; upper and lower case are the same",
    ),
]
_ARGUMENTS = {"web_search": ("query",), "open_page": ("url",), "find_in_page": ("url", "pattern")}
_MAX_ARGUMENT = 8192
"""Characters of an argument that are looked at; no address and no query is longer."""


class WebSearch(BasicTool):
    """A `HostedTool`: it offers the model functions that search the web and, if wanted, read its pages.

    Pages are offered where the settings say so (`open_pages`) and to requests that ask for much context
    (`search_context_size: "high"`). By default a request is worded as llama-stack words it.
    """

    def __init__(self, tool: WebSearchTool, position: int, context: ToolContext) -> None:
        """Raises `InvalidRequest` for options that are wrong."""
        super().__init__(position)
        services = context.services
        self._settings = services.settings.web_search
        self._search = template(tool, position)
        self._ids = context.request.ids
        provider = search_provider(self._settings, services)
        self._calls = context.wrap(WebCalls(services, provider))

    def functions(self) -> list[ChatTool]:
        """Returns the functions that the model is offered."""
        pages = self._settings.open_pages or self._search.context_size == "high"
        return [SEARCH, *PAGE_FUNCTIONS] if pages else [SEARCH]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Begins a search, or a look into a page."""
        given = _given(name, arguments)
        if name == "web_search":
            query = given["query"]
            action = {"type": "search", "query": query, "queries": [query]}
            asked = _Asked(self._settings.provider, name, self._search.with_query(query).arguments)
        else:
            action = {"type": name, **given}
            asked = _Asked(PAGES, name, given | self._search.domains)
        problem = _problem(name, given)
        return WebCall(self._ids(ITEM_PREFIXES["web_search_call"]), action, self._calls, asked, problem)


@dataclass(frozen=True)
class _Asked:
    """What is asked of the tool calls."""

    provider: str
    name: str
    arguments: JSONObject


class WebCall(BasicCall[WebSearchCall]):
    """One call: an item `web_search_call`, whose events are those of `wire.md` 3.3 rules 6 and 13."""

    def __init__(
        self, item_id: str, action: JSONObject, calls: ToolCalls, asked: _Asked, problem: str | None
    ) -> None:
        super().__init__(WebSearchCall(id=item_id, status="searching", action=action))
        self._item_id = item_id
        self._calls = calls
        self._asked = asked
        self._problem = problem

    def opening(self, output_index: int) -> list[Event]:
        """Returns `output_item.added`, in progress, searching. What is searched is told at the end."""
        added = msgspec.structs.replace(self.item, status="in_progress", action=UNSET, results=UNSET)
        return [
            OutputItemAdded(output_index, added),
            WebSearchCallInProgress(self._item_id, output_index),
            WebSearchCallSearching(self._item_id, output_index),
        ]

    async def run(self) -> None:
        """Makes the call. What goes wrong is told to the model, and the item has failed."""
        call = self.item
        try:
            if self._problem is not None:
                raise UpstreamError(self._problem)
            asked = self._asked
            call.results = results_of(await self._calls.call(asked.provider, asked.name, asked.arguments))
            call.status = "completed"
            self._add_sources()
        except UpstreamError as error:
            call.results = [*error_results(" ".join(error.message.split()))]
            call.status = "failed"
        except AntiphonError:
            call.status = "failed"
            raise

    def closing(self, output_index: int) -> list[Event]:
        """Returns completed, unless the call failed, and `output_item.done`."""
        done = OutputItemDone(output_index, self.item)
        if self.item.status != "completed":
            return [done]
        return [WebSearchCallCompleted(self._item_id, output_index), done]

    def _add_sources(self) -> None:
        if self._asked.name == "web_search" and self.item.action and self.item.results:
            urls = [result["url"] for result in self.item.results]
            self.item.action["sources"] = [{"type": "url", "url": url} for url in urls]


def _given(name: str, arguments: str) -> JSONObject:
    """The arguments of a function, as far as the model gave them as text; the others are empty."""
    try:
        decoded: JSON = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        decoded = None
    given = decoded if isinstance(decoded, dict) else {}
    texts = {key: given.get(key) for key in _ARGUMENTS[name]}
    return {key: plain(text)[:_MAX_ARGUMENT] for key, text in texts.items()}


def _problem(name: str, given: JSONObject) -> str | None:
    missing = [f"'{key}'" for key, text in given.items() if not text.strip()]
    if not missing:
        return None
    return f"The arguments of {name} are wrong: expected a JSON object with {' and '.join(missing)} as text."
