"""File search as a hosted tool: a `file_search_call` that finds chunks in vector stores."""

import asyncio

import msgspec

from antiphon.engine.behavior import FileSearchFunction
from antiphon.engine.hosted.items import error_results
from antiphon.engine.ports import HostedCall
from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.tools.base import BasicCall, BasicTool
from antiphon.tools.context import FileSearch as Searching
from antiphon.tools.context import ToolContext
from antiphon.tools.file_search.items import CALLS
from antiphon.wire.chat import ChatTool
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import ITEM_PREFIXES, FileSearchCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tool_events import (
    FileSearchCallCompleted,
    FileSearchCallInProgress,
    FileSearchCallSearching,
)
from antiphon.wire.tools import FileSearchTool


def _function(name: str, description: str, query: str) -> ChatTool:
    parameters = {
        "type": "object",
        "properties": {"query": {"type": "string", "description": query}},
        "required": ["query"],
    }
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


FUNCTION = _function("file_search", "Search files for relevant information", "The search query")
"""The wording of llama-stack, which its recordings hold."""
_FUNCTIONS: dict[FileSearchFunction, ChatTool] = {
    "file_search": FUNCTION,
    "knowledge_search": _function(
        "knowledge_search",
        "Search for information in a database.",
        "The query to search for. Can be a natural language sentence or keywords.",
    ),
}
_MAX_QUERY = 8192
"""Characters of a query that are used."""


class FileSearch(BasicTool):
    """A `HostedTool` over the vector stores of a request."""

    def __init__(self, tool: FileSearchTool, position: int, context: ToolContext) -> None:
        """Check the tool of a request.

        Raises:
            InvalidRequest: The request names no store, or the server stores no files.
        """
        super().__init__(position)
        if not tool.vector_store_ids:
            param = f"tools[{position}].vector_store_ids"
            raise InvalidRequest(
                f"Invalid '{param}': expected at least one vector store.", code="invalid_value", param=param
            )
        if context.file_search is None:
            raise InvalidRequest(
                "This server keeps no files, so it cannot search them.",
                code="unsupported_parameter",
                param=f"tools[{position}].type",
            )
        self._tool = tool
        self._search = context.file_search
        self._context = context

    def functions(self) -> list[ChatTool]:
        """Return the one function that the model is offered."""
        return [_FUNCTIONS[self._context.request.behavior.file_search_function]]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return a new search."""
        item_id = self._context.request.ids(ITEM_PREFIXES["file_search_call"])
        return FileCall(item_id, _query(arguments), self._tool, self._search, self._context)


class FileCall(BasicCall[FileSearchCall]):
    """One search: a `file_search_call` with the events that api.openai.com sends."""

    def __init__(
        self, item_id: str, query: str, tool: FileSearchTool, search: Searching, context: ToolContext
    ) -> None:
        call_type = CALLS[context.request.behavior.file_search_function]
        self._call = call_type(id=item_id, status="searching", queries=[query] if query else [], results=None)
        super().__init__(self._call)
        self._item_id = item_id
        self._query = query
        self._tool = tool
        self._search = search
        self._services = context.services

    def opening(self, output_index: int) -> list[Event]:
        """Return the first events; the item gets its queries and results at the end."""
        added = msgspec.structs.replace(self._call, status="in_progress", queries=[], results=None)
        return [
            OutputItemAdded(output_index, added),
            FileSearchCallInProgress(self._item_id, output_index),
            FileSearchCallSearching(self._item_id, output_index),
        ]

    async def run(self) -> None:
        """Search. An error fails the item, and the model receives it."""
        call = self._call
        settings = self._services.settings.file_search
        slots = self._services.slots.of("file_search", settings.concurrency)
        try:
            async with asyncio.timeout(settings.timeout), slots:
                if not self._query:
                    raise InvalidRequest(
                        "The arguments of file_search are wrong: expected a 'query' as text."
                    )
                call.results = _cut(await self._search(self._tool, self._query), settings.max_bytes)
            call.status = "completed"
        except TimeoutError:
            self._fail(f"The search took longer than {settings.timeout:g} seconds.")
        except AntiphonError as error:
            self._fail(" ".join(error.message.split()))

    def closing(self, output_index: int) -> list[Event]:
        """Return `completed`, unless the call failed, and `output_item.done`."""
        done = OutputItemDone(output_index, self._call)
        if self._call.status != "completed":
            return [done]
        return [FileSearchCallCompleted(self._item_id, output_index), done]

    def _fail(self, message: str) -> None:
        self._call.results = [*error_results(message)]
        self._call.status = "failed"


def _query(arguments: str) -> str:
    """Return the query of the model; some models send a list, as other tools accept it."""
    try:
        given: JSON = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    given = given.get("query", given.get("queries")) if isinstance(given, dict) else given
    if isinstance(given, list):
        given = "\n".join(each for each in given if isinstance(each, str))
    return given.strip()[:_MAX_QUERY] if isinstance(given, str) else ""


def _cut(results: list[JSONObject], max_bytes: int) -> list[JSONObject]:
    """Return the results whose texts fit into `max_bytes` together; the last one may be cut."""
    kept: list[JSONObject] = []
    for result in results:
        text = str(result.get("text", "")).encode()
        if len(text) > max_bytes:
            text = text[:max_bytes]
            result = {**result, "text": text.decode("utf-8", "ignore")}
        max_bytes -= len(text)
        kept.append(result)
        if max_bytes <= 0:
            break
    return kept
