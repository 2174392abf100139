"""Output items for an MCP server: tool lists, calls and approval requests."""

import logging
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import Ids
from antiphon.errors import AntiphonError, ToolListFailed, UpstreamError, UpstreamRefused
from antiphon.tools.mcp.approvals import Policy
from antiphon.tools.mcp.results import INVALID_PARAMS, entries, failed, outcome, protocol_error
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import Item, McpApprovalRequest, McpCall, McpListTools
from antiphon.wire.json import JSONObject
from antiphon.wire.tool_events import (
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
)

_log = logging.getLogger(__name__)

LIST = "tools/list"
"""The name of the list request in `ToolCalls`."""


class ToolListing:
    """The setup of a server: its list of tools."""

    ends_turn = False
    following: Sequence[Item] = ()

    def __init__(
        self,
        server_label: str,
        policy: Policy,
        calls: ToolCalls,
        ids: Ids,
        known: list[JSONObject] | None = None,
    ) -> None:
        """Create a listing.

        Args:
            server_label: The label of the server.
            policy: The allowed tools.
            calls: The interface for tool calls.
            ids: Generates the ID of the item.
            known: The tools, in the form of items; None asks the server.
        """
        self.item = McpListTools(id=ids("mcpl"), server_label=server_label, tools=[])
        self._policy = policy
        self._calls = calls
        self._known = known
        self._failed = False

    def opening(self, output_index: int) -> list[Event]:
        """Return the opening events."""
        return [
            OutputItemAdded(output_index, self.item),
            McpListToolsInProgress(str(self.item.id), output_index),
        ]

    async def run(self) -> None:
        """List the tools.

        Raises:
            ToolListFailed: The server failed; without its tools the model would guess.
            AntiphonError: The guard rejected the server's address.
        """
        try:
            listed, left_out = (self._known, []) if self._known else entries(await self._list())
        except AntiphonError as error:
            self._failed = True
            self.item = replace(self.item, error=error.message)
            raise
        self.item = replace(self.item, tools=[entry for entry in listed if self._policy.allows(entry)])
        if left_out:
            _log.warning(
                "Omitted tools of MCP server '%s' whose input schema is not an object: %s",
                self.item.server_label,
                ", ".join(left_out),
            )

    def closing(self, output_index: int) -> list[Event]:
        """Return the closing events."""
        kind = McpListToolsFailed if self._failed else McpListToolsCompleted
        return [kind(str(self.item.id), output_index), OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """Raise `NotImplementedError`: the limit on calls doesn't apply to lists."""
        raise NotImplementedError

    async def _list(self) -> list[JSONObject]:
        label = self.item.server_label
        try:
            result = await self._calls.call(label, LIST, {})
        except UpstreamError as error:
            status = error.upstream_status if isinstance(error, UpstreamRefused) else None
            raise ToolListFailed(label, status, error.message) from error
        answer: JSONObject = result if isinstance(result, dict) else {}
        tools = answer.get("tools")
        if isinstance(tools, list):
            return [tool for tool in tools if isinstance(tool, dict) and isinstance(tool.get("name"), str)]
        failure = answer.get("error")
        message = failure.get("message") if isinstance(failure, dict) else "It returned no list."
        raise ToolListFailed(label, None, str(message))


class ToolCall:
    """A call of a server's tool, requested by the model or approved by the client."""

    ends_turn = False
    following: Sequence[Item] = ()

    def __init__(self, item: McpCall, calls: ToolCalls, max_bytes: int) -> None:
        """Create a call.

        Args:
            item: The item with ID, label, name and arguments.
            calls: The interface for tool calls.
            max_bytes: Size limit of the result.
        """
        self.item = item
        self._calls = calls
        self._max_bytes = max_bytes

    def opening(self, output_index: int) -> list[Event]:
        """Return the opening events, which include the arguments."""
        item_id, arguments = str(self.item.id), self.item.arguments
        return [
            OutputItemAdded(output_index, replace(self.item, arguments="")),
            McpCallInProgress(item_id, output_index),
            McpCallArgumentsDelta(item_id, output_index, arguments),
            McpCallArgumentsDone(item_id, output_index, arguments),
        ]

    async def run(self) -> None:
        """Execute the call; errors become part of the item."""
        output, error = await self._called()
        self.item = replace(self.item, status="failed" if error else "completed", output=output, error=error)

    def closing(self, output_index: int) -> list[Event]:
        """Return the closing events."""
        kind = McpCallFailed if self.item.error else McpCallCompleted
        return [kind(str(self.item.id), output_index), OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """Return the events of a call beyond the limit."""
        opening = self.opening(output_index)
        # A skipped web search also keeps the status of one in progress.
        self.item = replace(self.item, status="calling")
        return [*opening, OutputItemDone(output_index, self.item)]

    async def _called(self) -> tuple[str | None, JSONObject | None]:
        arguments = decoded_arguments(self.item.arguments)
        if arguments is None:
            return None, protocol_error(INVALID_PARAMS, "The arguments are not a JSON object.")
        try:
            result = await self._calls.call(self.item.server_label, self.item.name, arguments)
        except UpstreamError as error:
            return None, failed(error)
        if not isinstance(result, dict):
            return None, protocol_error(INVALID_PARAMS, "The tool's answer is not a JSON object.")
        return outcome(result, self._max_bytes)


class ApprovalRequest:
    """A call that the client must approve first; it ends the response."""

    ends_turn = True
    following: Sequence[Item] = ()

    def __init__(self, item: McpApprovalRequest) -> None:
        self.item = item

    def opening(self, output_index: int) -> list[Event]:
        """Return the opening event."""
        return [OutputItemAdded(output_index, self.item)]

    async def run(self) -> None:
        """Do nothing: the call waits for its approval."""

    def closing(self, output_index: int) -> list[Event]:
        """Return the closing event."""
        return [OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """Return all events: the limit on calls doesn't apply to approval requests."""
        return [*self.opening(output_index), *self.closing(output_index)]


def decoded_arguments(arguments: str) -> JSONObject | None:
    """Return a model's arguments, empty for an empty text; None if invalid."""
    try:
        decoded = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
