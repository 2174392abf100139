"""Web search as a hosted tool, under each of its type names."""

from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.items import error_results
from antiphon.engine.ports import HostedCall, ToolCalls
from antiphon.errors import AntiphonError, UpstreamError
from antiphon.tools.base import BasicCall, BasicTool
from antiphon.tools.context import ToolContext
from antiphon.tools.web_search.calls import PAGES, WebCalls, results_of
from antiphon.tools.web_search.options import template
from antiphon.tools.web_search.providers import search_provider
from antiphon.tools.web_search.providers.protocol import DEFAULT_SIZE, plain
from antiphon.wire.chat import ChatTool
from antiphon.wire.events import (
    Event,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
)
from antiphon.wire.items import ITEM_PREFIXES, WebSearchCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tool_events import WebSearchCallCompleted, WebSearchCallInProgress, WebSearchCallSearching
from antiphon.wire.tools import WebSearchTool


def _function(name: str, description: str, **arguments: str) -> ChatTool:
    properties = {key: {"type": "string", "description": text} for key, text in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


SEARCH = _function("web_search", "Search the web for information", query="The query to search for")
"""The search function with llama-stack's texts, which its recordings contain."""
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
"""The most characters of an argument to use, more than any URL or query needs."""


class WebSearch(BasicTool):
    """A `HostedTool` with functions for the model to search the web and to read pages.

    It has the functions for pages if the setting `open_pages` is on, or if the request has
    `search_context_size: "high"`. The default request is the same as llama-stack's.
    """

    def __init__(self, tool: WebSearchTool, position: int, context: ToolContext) -> None:
        """Create the tool of a request.

        Raises:
            InvalidRequest: An option is invalid.
        """
        super().__init__(position)
        services, behavior = context.services, context.request.behavior
        self._settings = services.settings.web_search
        search = template(tool, position)
        if not behavior.uses_search_context_size:
            search = msgspec.structs.replace(search, context_size=DEFAULT_SIZE)
        self._search = search
        self._sends_arguments = behavior.sends_search_arguments
        self._ids = context.request.ids
        provider = search_provider(self._settings, lambda: services.client)
        self._calls = context.wrap(WebCalls(services, provider))

    def functions(self) -> list[ChatTool]:
        """Return the functions for the model."""
        pages = self._settings.open_pages or self._search.context_size == "high"
        return [SEARCH, *PAGE_FUNCTIONS] if pages else [SEARCH]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return the call of a search or of a page function."""
        given = _given(name, arguments)
        if name == "web_search":
            query = given["query"]
            action = {"type": "search", "query": query, "queries": [query]}
            asked = _Asked(self._settings.provider, name, self._search.with_query(query).arguments)
        else:
            action = {"type": name, **given}
            asked = _Asked(PAGES, name, given | self._search.domains)
        item = WebSearchCall(
            id=self._ids(ITEM_PREFIXES["web_search_call"]), status="searching", action=action
        )
        shown = arguments if self._sends_arguments else None
        return WebCall(item, self._calls, asked, _problem(name, given), shown)


@dataclass(frozen=True)
class _Asked:
    """The arguments for `ToolCalls`."""

    provider: str
    """The provider of the search, or `PAGES`."""
    name: str
    """The name of the function."""
    arguments: JSONObject
    """The arguments of the call."""


class WebCall(BasicCall[WebSearchCall]):
    """One call, which becomes a `web_search_call` item.

    Source of its events: https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def __init__(
        self,
        item: WebSearchCall,
        calls: ToolCalls,
        asked: _Asked,
        problem: str | None,
        shown_arguments: str | None = None,
    ) -> None:
        """Create a call.

        Args:
            item: The item before the call.
            calls: The interface for tool calls.
            asked: The arguments for it.
            problem: The error in the model's arguments, which prevents the call.
            shown_arguments: The model's arguments, for events that contain them; None for no such events.
        """
        super().__init__(item)
        self._item_id = str(item.id)
        self._calls = calls
        self._asked = asked
        self._problem = problem
        self._shown_arguments = shown_arguments

    def opening(self, output_index: int) -> list[Event]:
        """Return the opening events; the query appears only in the closing ones."""
        added = msgspec.structs.replace(self.item, status="in_progress", action=UNSET, results=UNSET)
        return [
            OutputItemAdded(output_index, added),
            WebSearchCallInProgress(self._item_id, output_index),
            *self._argument_events(output_index),
            WebSearchCallSearching(self._item_id, output_index),
        ]

    async def run(self) -> None:
        """Execute the call. On errors the item fails, and the model receives the message."""
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
        """Return `completed`, unless the call failed, and `output_item.done`."""
        done = OutputItemDone(output_index, self.item)
        if self.item.status != "completed":
            return [done]
        return [WebSearchCallCompleted(self._item_id, output_index), done]

    def _argument_events(self, output_index: int) -> list[Event]:
        arguments = self._shown_arguments
        if arguments is None:
            return []
        return [
            FunctionCallArgumentsDelta(self._item_id, output_index, arguments),
            FunctionCallArgumentsDone(self._item_id, output_index, self._asked.name, arguments),
        ]

    def _add_sources(self) -> None:
        if self._asked.name == "web_search" and self.item.action and self.item.results:
            urls = [result["url"] for result in self.item.results]
            self.item.action["sources"] = [{"type": "url", "url": url} for url in urls]


def _given(name: str, arguments: str) -> JSONObject:
    """Return the arguments of a function; those that aren't strings become empty."""
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
