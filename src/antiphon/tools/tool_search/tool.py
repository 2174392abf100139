"""Search for deferred tools by the server: a hosted tool that finds functions of the request."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from antiphon.engine.ports import HostedCall
from antiphon.engine.request_context import Ids
from antiphon.engine.response import shown_tool
from antiphon.tools.base import BasicCall, BasicTool
from antiphon.tools.client.arguments import decoded
from antiphon.tools.context import Deferred, ToolContext
from antiphon.tools.tool_search.items import DESCRIPTION, NAME, QUERY
from antiphon.tools.tool_search.ranking import ranked
from antiphon.wire.chat import ChatFunction, ChatTool
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import ITEM_PREFIXES, Item, ToolSearchCall, ToolSearchOutput
from antiphon.wire.json import JSON
from antiphon.wire.tools import CustomTool, FunctionTool, McpTool, NamespaceTool, Tool, ToolSearchTool

_MOST = 8
"""Functions that a search loads at most."""
_MOST_NAMED = 50
"""Functions and groups that the description of the search names."""
_MAX_ABOUT = 200
"""Characters of the description of a group."""


@dataclass(frozen=True)
class _Candidate:
    """A function that a search can find."""

    tool: Tool
    """The tool of the request that it belongs to."""
    name: str
    text: str


def hosted_search(tool: ToolSearchTool, position: int, context: ToolContext) -> "HostedSearch | None":
    """Return the search of a request; None if the client searches."""
    if tool.execution == "client":
        return None
    return HostedSearch(position, context.deferred, context.request.ids)


class HostedSearch(BasicTool):
    """A `HostedTool` that finds deferred functions, namespaces and functions of MCP servers."""

    def __init__(self, position: int, deferred: Deferred, ids: Ids) -> None:
        super().__init__(position)
        self._deferred = deferred
        self._ids = ids

    def functions(self) -> list[ChatTool]:
        """Return the function, whose description names what a search can find."""
        groups = [_group(tool) for tool in self._deferred.tools if isinstance(tool, NamespaceTool | McpTool)]
        loose = [
            tool.name
            for tool in self._deferred.tools
            if isinstance(tool, FunctionTool | CustomTool) and tool.defer_loading is True
        ]
        lines = [DESCRIPTION, *list(filter(None, groups))[:_MOST_NAMED]]
        if loose:
            more = ", ..." if len(loose) > _MOST_NAMED else ""
            lines.append(f"Functions: {', '.join(loose[:_MOST_NAMED])}{more}")
        function: ChatFunction = {"name": NAME, "description": "\n".join(lines), "parameters": QUERY}
        return [{"type": "function", "function": function}]

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return a new search."""
        given: JSON = decoded(arguments)
        return SearchCall(given if given is not None else {}, self._deferred, self._ids)


class SearchCall(BasicCall[ToolSearchCall]):
    """One search, which becomes two items: the call and its output."""

    def __init__(self, arguments: JSON, deferred: Deferred, ids: Ids) -> None:
        item_id = ids(ITEM_PREFIXES["tool_search_call"])
        super().__init__(
            ToolSearchCall(id=item_id, status="in_progress", execution="server", arguments=arguments)
        )
        output_id = ids(ITEM_PREFIXES["tool_search_output"])
        self._output = ToolSearchOutput(id=output_id, status="completed", execution="server", tools=[])
        self._deferred = deferred

    @property
    def following(self) -> Sequence[Item]:
        """The output."""
        return [self._output]

    def opening(self, output_index: int) -> list[Event]:
        """Return `output_item.added`, without arguments as at api.openai.com."""
        return [OutputItemAdded(output_index, msgspec.structs.replace(self.item, arguments={}))]

    async def run(self) -> None:
        """Search."""
        candidates = list(_candidates(self._deferred))
        places = ranked(_query(self.item.arguments), [each.text for each in candidates], _MOST)
        self._output.tools = _grouped([candidates[place] for place in places])
        self.item.status = "completed"

    def closing(self, output_index: int) -> list[Event]:
        """Return the end of the call, and the output."""
        begun = msgspec.structs.replace(self._output, status="in_progress")
        return [
            OutputItemDone(output_index, self.item),
            OutputItemAdded(output_index + 1, begun),
            OutputItemDone(output_index + 1, self._output),
        ]


def _group(tool: NamespaceTool | McpTool) -> str | None:
    """Return the line for a group of functions; None if none of them is deferred."""
    if isinstance(tool, McpTool):
        name, about, has_any = tool.server_label, tool.server_description, tool.defer_loading is True
    else:
        name, about = tool.name, tool.description
        has_any = any(each.defer_loading is True for each in tool.tools)
    if not has_any:
        return None
    return f"{name}: {about[:_MAX_ABOUT]}" if about else name


def _query(arguments: JSON) -> str:
    """Return the words to search for: the query, and anything else that the model wrote."""
    values = arguments.values() if isinstance(arguments, dict) else ()
    flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
    return " ".join(each for each in flat if isinstance(each, str))


def _candidates(deferred: Deferred) -> Iterator[_Candidate]:
    for tool in deferred.tools:
        if isinstance(tool, FunctionTool | CustomTool) and tool.defer_loading is True:
            yield _Candidate(tool, tool.name, f"{tool.name} {tool.description or ''}")
        elif isinstance(tool, NamespaceTool):
            for each in tool.tools:
                if each.defer_loading is True:
                    about = f"{each.description or ''} {tool.name} {tool.description or ''}"
                    yield _Candidate(tool, each.name, f"{each.name} {about}")
        elif isinstance(tool, McpTool) and tool.defer_loading is True:
            for listed in deferred.listed(tool):
                name, about = listed["function"]["name"], listed["function"].get("description", "")
                server = f"{tool.server_label} {tool.server_description or ''}"
                yield _Candidate(tool, name, f"{name} {about} {server}")


def _grouped(found: Sequence[_Candidate]) -> list[Tool]:
    """Return the tools of the request with only the functions that were found, the best first."""
    names: dict[int, tuple[Tool, list[str]]] = {}
    for each in found:
        names.setdefault(id(each.tool), (each.tool, []))[1].append(each.name)
    return [_with_only(tool, kept) for tool, kept in names.values()]


def _with_only(tool: Tool, names: list[str]) -> Tool:
    if isinstance(tool, NamespaceTool):
        by_name = {each.name: each for each in tool.tools}
        return shown_tool(msgspec.structs.replace(tool, tools=[by_name[name] for name in names]))
    if isinstance(tool, McpTool):
        return shown_tool(msgspec.structs.replace(tool, allowed_tools=names))
    return shown_tool(tool)
