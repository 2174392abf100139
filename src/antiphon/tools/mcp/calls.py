"""What is done with an MCP server in a response, each as one output item: list, call, ask for approval."""

import logging

import msgspec
from msgspec.structs import replace

from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import Ids
from antiphon.errors import AntiphonError, ToolListFailed, UpstreamError, UpstreamRefused
from antiphon.tools.mcp.approvals import Policy
from antiphon.tools.mcp.results import INVALID_PARAMS, entries, failed, outcome, protocol_error
from antiphon.wire.events import (
    Event,
    McpCallArgumentsDelta,
    McpCallArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpCallInProgress,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    OutputItemAdded,
    OutputItemDone,
)
from antiphon.wire.items import McpApprovalRequest, McpCall, McpListTools
from antiphon.wire.json import JSONObject

_log = logging.getLogger(__name__)

LIST = "tools/list"
"""The name under which the list is asked for at the seam of tool calls."""


class ToolListing:
    """The set-up: the server is asked for its tools."""

    ends_turn = False

    def __init__(self, server_label: str, policy: Policy, calls: ToolCalls, ids: Ids) -> None:
        self.item = McpListTools(id=ids("mcpl"), server_label=server_label, tools=[])
        self._policy = policy
        self._calls = calls
        self._failed = False

    def opening(self, output_index: int) -> list[Event]:
        return [
            OutputItemAdded(output_index, self.item),
            McpListToolsInProgress(str(self.item.id), output_index),
        ]

    async def run(self) -> None:
        """Asks for the list; raises `ToolListFailed`, for without its tools the model would guess."""
        try:
            listed, left_out = entries(await self._list())
        except AntiphonError as error:
            self._failed = True
            self.item = replace(self.item, error=error.message)
            raise
        self.item = replace(self.item, tools=[entry for entry in listed if self._policy.allows(entry)])
        if left_out:
            _log.warning(
                "MCP server '%s': left out tools whose input schema is not that of an object: %s",
                self.item.server_label,
                ", ".join(left_out),
            )

    def closing(self, output_index: int) -> list[Event]:
        kind = McpListToolsFailed if self._failed else McpListToolsCompleted
        return [kind(str(self.item.id), output_index), OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """A list is no call that the limit of calls could concern."""
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
        message = failure.get("message") if isinstance(failure, dict) else "It gave no list."
        raise ToolListFailed(label, None, str(message))


class ToolCall:
    """One call of a server's tool: the model's, or one that the caller approved."""

    ends_turn = False

    def __init__(self, item: McpCall, calls: ToolCalls, max_bytes: int) -> None:
        """`item` has its id, label, name and arguments; `max_bytes` of the result are kept."""
        self.item = item
        self._calls = calls
        self._max_bytes = max_bytes

    def opening(self, output_index: int) -> list[Event]:
        item_id, arguments = str(self.item.id), self.item.arguments
        return [
            OutputItemAdded(output_index, replace(self.item, arguments="")),
            McpCallInProgress(item_id, output_index),
            McpCallArgumentsDelta(item_id, output_index, arguments),
            McpCallArgumentsDone(item_id, output_index, arguments),
        ]

    async def run(self) -> None:
        output, error = await self._called()
        self.item = replace(self.item, status="failed" if error else "completed", output=output, error=error)

    def closing(self, output_index: int) -> list[Event]:
        kind = McpCallFailed if self.item.error else McpCallCompleted
        return [kind(str(self.item.id), output_index), OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        opening = self.opening(output_index)
        # As a web search that is skipped keeps the status of one at work (`wire.md` 3.3, rule 13).
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
    """A call that the caller has to approve first: the response ends with it."""

    ends_turn = True

    def __init__(self, item: McpApprovalRequest) -> None:
        self.item = item

    def opening(self, output_index: int) -> list[Event]:
        return [OutputItemAdded(output_index, self.item)]

    async def run(self) -> None:
        """Nothing is done before the answer."""

    def closing(self, output_index: int) -> list[Event]:
        return [OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """Asking runs nothing, so the limit of calls does not concern it."""
        return [*self.opening(output_index), *self.closing(output_index)]


def decoded_arguments(arguments: str) -> JSONObject | None:
    """Returns the arguments that a model wrote; None where they are no JSON object. Nothing means none."""
    try:
        decoded = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None
