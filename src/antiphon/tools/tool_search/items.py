"""Items of tool searches: a `tool_search_call`, and the `tool_search_output` with the tools that it found."""

import msgspec
from msgspec import UNSET

from antiphon.engine.client.kinds import ClientCall, ClientKind
from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.engine.request.available import keys_of
from antiphon.tools.client.arguments import decoded, invalid
from antiphon.wire.chat import ChatFunction
from antiphon.wire.content import ToolOutputPart
from antiphon.wire.items import ItemStatus, ToolSearchCall, ToolSearchOutput
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import Tool, ToolSearchTool

NAME = "tool_search"
QUERY: JSONObject = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "Words for what the tools should do"}},
    "required": ["query"],
    "additionalProperties": False,
}
DESCRIPTION = "Search for tools that are not loaded yet. The tools that it finds can be called afterwards."


class ToolSearch(ClientKind[ToolSearchCall, ToolSearchOutput]):
    """Searches, which the client runs unless the server does; the model receives both alike."""

    name = NAME
    tools = (ToolSearchTool,)
    choices = (NAME,)
    call = ToolSearchCall
    output = ToolSearchOutput

    def function(self, tool: Tool, param: str) -> ChatFunction | None:
        """Return the function as the client describes it; None if the server searches."""
        assert isinstance(tool, ToolSearchTool)
        if tool.execution != "client":
            return None
        parameters = QUERY if tool.parameters is UNSET else tool.parameters
        return {"description": tool.description or DESCRIPTION, "parameters": parameters or QUERY}

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[ToolSearchCall]:
        """Return a call without arguments."""
        item = ToolSearchCall(
            id=item_id, status="in_progress", call_id=call_id, execution="client", arguments={}
        )
        return _Call(item)

    def arguments(self, item: ToolSearchCall) -> str:
        """Return the arguments."""
        return msgspec.json.encode(item.arguments).decode()

    def answer(self, item: ToolSearchOutput) -> str | list[ToolOutputPart]:
        """Return the names of the tools, whose declarations the model receives as tools."""
        names = [f"{space}.{name}" if space else name for tool in item.tools for space, name in keys_of(tool)]
        return f"Loaded tools: {', '.join(names)}" if names else "No tools were found."

    def waits(self, item: ToolSearchCall) -> bool:
        """Return whether the client has to search."""
        return item.execution == "client"


class ToolSearchItems(HostedKind[ToolSearchCall]):
    """Searches by the server, for the log and metrics."""

    item = ToolSearchCall

    def function(self, item: ToolSearchCall) -> CalledFunction:
        """Return the search with its arguments."""
        return CalledFunction(NAME, NAME, msgspec.json.encode(item.arguments).decode())

    def has_failed(self, item: ToolSearchCall) -> bool:
        """Return False: a search that finds nothing has not failed."""
        return False


class _Call(ClientCall[ToolSearchCall]):
    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        """Complete the arguments."""
        self.item.status = status
        given = decoded(arguments)
        if given is None and status == "completed":
            return invalid("a JSON object")
        self.item.arguments = given or {}
        return None
