"""Allowed tools of MCP servers, and approvals of their calls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from antiphon.errors import InvalidRequest
from antiphon.wire.items import Item, McpApprovalRequest, McpApprovalResponse, McpCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import McpTool, Tool


@dataclass(frozen=True)
class Filter:
    """A filter for tools by name and by whether they only read; both must match."""

    names: frozenset[str] | None
    """The names of matching tools; None matches all."""
    read_only: bool | None
    """Whether matching tools only read; None matches all."""

    def fits(self, entry: JSONObject) -> bool:
        """Return whether a tool, in the form of `mcp_list_tools` items, matches."""
        annotations = entry.get("annotations") or {}
        return (self.names is None or entry["name"] in self.names) and (
            self.read_only is None or bool(annotations.get("read_only")) is self.read_only
        )


@dataclass(frozen=True)
class Policy:
    """The `allowed_tools` and `require_approval` of one tool of a request."""

    allowed: Filter | None
    """The allowed tools; None allows all."""
    always: Filter | None
    """The tools that need approval."""
    never: Filter | None
    """The tools that need no approval."""
    otherwise: bool
    """Whether tools that match neither filter need approval."""

    @classmethod
    def of(cls, tool: McpTool, position: int) -> Self:
        """Parse both parameters in any form; by default, approval is needed.

        Raises:
            InvalidRequest: A parameter is invalid.
        """
        place = f"tools[{position}]"
        allowed = _filter(tool.allowed_tools, f"{place}.allowed_tools")
        approval, param = tool.require_approval, f"{place}.require_approval"
        if not approval or approval in ("always", "never"):
            return cls(allowed, None, None, otherwise=approval != "never")
        if not isinstance(approval, dict) or not approval.keys() <= {"always", "never"}:
            raise _invalid(param, "expected 'always', 'never', or an object with filters in these keys")
        always = _filter(approval.get("always"), f"{param}.always")
        never = _filter(approval.get("never"), f"{param}.never")
        return cls(allowed, always, never, otherwise=True)

    def allows(self, entry: JSONObject) -> bool:
        """Return whether the model may get the tool."""
        return self.allowed is None or self.allowed.fits(entry)

    def needs_approval(self, entry: JSONObject) -> bool:
        """Return whether the client must approve each call of the tool."""
        if self.always is not None and self.always.fits(entry):
            return True
        if self.never is not None and self.never.fits(entry):
            return False
        return self.otherwise


def approved_requests(items: Sequence[Item], server_label: str) -> list[McpApprovalRequest]:
    """Return the approved requests to one server whose calls have not been made.

    A request may appear twice, stored and sent back by the client. Its arguments are compared by value.

    Raises:
        InvalidRequest: A response has no request in this context, or a request was changed.
    """
    requests: dict[str, McpApprovalRequest] = {}
    for item in items:
        if isinstance(item, McpApprovalRequest):
            first = requests.setdefault(str(item.id), item)
            if _meaning(first) != _meaning(item):
                raise _invalid("input", f"the approval request '{item.id}' was changed after it was made")
    answers, made = _answers(items), _made(items)
    for request_id in answers.keys() - requests.keys():
        raise _not_asked(request_id)
    return [
        request
        for request_id, request in requests.items()
        if request.server_label == server_label and answers.get(request_id) and request_id not in made
    ]


def check_approvals(given: Iterable[Item], context: Iterable[Item], tools: Iterable[Tool]) -> None:
    """Check that each approval response in `given` has an effect.

    `given` are the request's own items.

    Raises:
        InvalidRequest: A response has no request in the context, or the server of an approved call isn't
            among `tools`.
    """
    answers = _answers(given)
    if not answers:
        return
    context = list(context)
    requests = {str(item.id): item for item in context if isinstance(item, McpApprovalRequest)}
    labels = {tool.server_label for tool in tools if isinstance(tool, McpTool)}
    made = _made(context)
    for request_id, approved in answers.items():
        request = requests.get(request_id)
        if request is None:
            raise _not_asked(request_id)
        if approved and request_id not in made and request.server_label not in labels:
            raise InvalidRequest(
                f"The approved call of '{request.name}' cannot be made. Add its MCP server "
                f"'{request.server_label}' to the tools of this request.",
                code="missing_required_parameter",
                param="tools",
            )


def _answers(items: Iterable[Item]) -> dict[str, bool]:
    """Return the last response to each approval request, by the request's ID."""
    return {item.approval_request_id: item.approve for item in items if isinstance(item, McpApprovalResponse)}


def _made(items: Iterable[Item]) -> set[str]:
    """Return the IDs of the approval requests whose calls have been made."""
    return {
        item.approval_request_id for item in items if isinstance(item, McpCall) and item.approval_request_id
    }


def _not_asked(request_id: str) -> InvalidRequest:
    return InvalidRequest(f"No approval request found with id '{request_id}'.", param="input")


def _meaning(request: McpApprovalRequest) -> tuple[str, str, JSON]:
    try:
        arguments: JSON = msgspec.json.decode(request.arguments)
    except msgspec.DecodeError:
        arguments = request.arguments
    return request.server_label, request.name, arguments


def _filter(value: JSON, param: str) -> Filter | None:
    """Return the filter in a parameter of either form, or None if there is none."""
    if not value and not isinstance(value, list):
        return None
    names, read_only = value, None
    if isinstance(value, dict):
        if not value.keys() <= {"tool_names", "read_only"}:
            raise _invalid(param, "expected 'tool_names' and 'read_only' only")
        names, read_only = value.get("tool_names"), value.get("read_only")
    if not (names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names))):
        raise _invalid(param, "expected a list of tool names")
    if not (read_only is None or isinstance(read_only, bool)):
        raise _invalid(f"{param}.read_only", "expected a boolean")
    return Filter(None if names is None else frozenset(names), read_only)


def _invalid(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {why}.", code="invalid_value", param=param)
