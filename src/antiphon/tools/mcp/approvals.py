"""Which tools of an MCP server a request allows, which need approval, and what was approved. Pure."""

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
    """Tools by name and by whether they only read; both must fit where both are given."""

    names: frozenset[str] | None
    read_only: bool | None

    def fits(self, entry: JSONObject) -> bool:
        """Whether a tool, as `mcp_list_tools` items list it, is meant."""
        annotations = entry.get("annotations") or {}
        return (self.names is None or entry["name"] in self.names) and (
            self.read_only is None or bool(annotations.get("read_only")) is self.read_only
        )


@dataclass(frozen=True)
class Policy:
    """`allowed_tools` and `require_approval` of one tool of a request."""

    allowed: Filter | None
    always: Filter | None
    never: Filter | None
    otherwise: bool
    """Whether tools that neither filter means need approval."""

    @classmethod
    def of(cls, tool: McpTool, position: int) -> Self:
        """Reads every form of both parameters; raises `InvalidRequest`. Approval is needed by default."""
        place = f"tools[{position}]"
        allowed = _filter(tool.allowed_tools, f"{place}.allowed_tools")
        approval, param = tool.require_approval, f"{place}.require_approval"
        if not approval or approval in ("always", "never"):
            return cls(allowed, None, None, otherwise=approval != "never")
        if not isinstance(approval, dict) or not approval.keys() <= {"always", "never"}:
            raise _invalid(param, "expected 'always', 'never', or an object with filters under these keys")
        always = _filter(approval.get("always"), f"{param}.always")
        never = _filter(approval.get("never"), f"{param}.never")
        return cls(allowed, always, never, otherwise=True)

    def allows(self, entry: JSONObject) -> bool:
        """Whether the model may be offered the tool."""
        return self.allowed is None or self.allowed.fits(entry)

    def needs_approval(self, entry: JSONObject) -> bool:
        """Whether the caller must approve each call of the tool; in doubt it must."""
        if self.always is not None and self.always.fits(entry):
            return True
        if self.never is not None and self.never.fits(entry):
            return False
        return self.otherwise


def approved_requests(items: Sequence[Item], server_label: str) -> list[McpApprovalRequest]:
    """Returns the requests to one server that the caller approved and that no call has followed yet.

    A request may come twice, stored and sent back by the client; its arguments are compared by value. Raises
    `InvalidRequest` for an answer to no request of this context, and for a request that was changed.
    """
    requests: dict[str, McpApprovalRequest] = {}
    for item in items:
        if isinstance(item, McpApprovalRequest):
            first = requests.setdefault(str(item.id), item)
            if _meaning(first) != _meaning(item):
                raise _invalid("input", f"the approval request '{item.id}' is not as it was made")
    answers, made = _answers(items), _made(items)
    for request_id in answers.keys() - requests.keys():
        raise _not_asked(request_id)
    return [
        request
        for request_id, request in requests.items()
        if request.server_label == server_label and answers.get(request_id) and request_id not in made
    ]


def check_approvals(given: Iterable[Item], context: Iterable[Item], tools: Iterable[Tool]) -> None:
    """Raises `InvalidRequest` for an answer in `given`, the request's own items, that would have no effect.

    That is one to no request of the context, and an approval of a call whose server is not among `tools`.
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
                f"The approved call of '{request.name}' cannot be made: there is no MCP server "
                f"'{request.server_label}' among the tools of this request.",
                code="missing_required_parameter",
                param="tools",
            )


def _answers(items: Iterable[Item]) -> dict[str, bool]:
    """The last answer to each approval request, by the request's id."""
    return {item.approval_request_id: item.approve for item in items if isinstance(item, McpApprovalResponse)}


def _made(items: Iterable[Item]) -> set[str]:
    """The ids of the approval requests whose calls have been made."""
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
    """A filter in either form; None where nothing is filtered."""
    if not value and not isinstance(value, list):
        return None
    names, read_only = value, None
    if isinstance(value, dict):
        if not value.keys() <= {"tool_names", "read_only"}:
            raise _invalid(param, "expected 'tool_names' and 'read_only' only")
        names, read_only = value.get("tool_names"), value.get("read_only")
    if not (names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names))):
        raise _invalid(param, "expected the names of tools")
    if not (read_only is None or isinstance(read_only, bool)):
        raise _invalid(f"{param}.read_only", "expected a boolean")
    return Filter(None if names is None else frozenset(names), read_only)


def _invalid(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {why}.", code="invalid_value", param=param)
