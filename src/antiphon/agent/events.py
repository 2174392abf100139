"""Events of an agent's turn, and the results of its steps.

A turn is one input of the user with everything that the agent does about it. It is a sequence of steps:
`inference` steps of the model, and `tool_execution` steps on the server or in this process. Names and fields
follow llama-stack's client, so that code for its events needs only new imports.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

from antiphon.wire.json import JSON, JSONObject

StepType: TypeAlias = Literal["inference", "tool_execution"]
StopReason: TypeAlias = Literal[
    "end_of_turn", "tool_calls", "approval_request", "server_tool_call", "incomplete", "failed"
]
"""Reason for the end of an inference step."""


class StepMetadata(TypedDict, total=False):
    """Tool of a `tool_execution` step."""

    server_side: bool
    """Whether the server executes the tool."""
    tool_type: str
    """`function`, or the hosted tool, such as `web_search`, `file_search`, `mcp_call` or `mcp_list_tools`."""
    tool_name: str
    """Names of the functions, or the name of the MCP tool, or the type of the item."""


class ToolResponse(TypedDict):
    """Output of a tool."""

    call_id: str
    tool_name: str
    content: JSON
    """Text for the model; of a hosted tool, its item as the server sent it."""
    is_error: bool


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Tool call of the model; `arguments` is JSON text."""

    call_id: str
    tool_name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """MCP tool call that waits for an approval; `arguments` is JSON text."""

    id: str
    server_label: str
    tool_name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """Piece of the model's text, or of its refusal."""

    text: str
    delta_type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallIssuedDelta:
    """Start of a tool call; `arguments` is `{}` if they arrive as deltas."""

    call_id: str
    tool_type: str
    tool_name: str
    arguments: str
    delta_type: Literal["tool_call_issued"] = "tool_call_issued"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """Piece of a tool call's arguments."""

    call_id: str
    arguments_delta: str
    delta_type: Literal["tool_call_delta"] = "tool_call_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallCompletedDelta:
    """End of a tool call on the server; `result` is its item."""

    call_id: str
    tool_type: str
    tool_name: str
    result: JSON
    delta_type: Literal["tool_call_completed"] = "tool_call_completed"


StepDelta: TypeAlias = TextDelta | ToolCallIssuedDelta | ToolCallDelta | ToolCallCompletedDelta


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceStepResult:
    """Output of the model in one step."""

    step_id: str
    response_id: str
    text_content: str
    function_calls: Sequence[ToolCall]
    """Calls that the agent executes in the next step."""
    server_tool_executions: Sequence[JSONObject]
    """Calls that the server executed earlier in the same response."""
    stop_reason: StopReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolExecutionStepResult:
    """Tool calls of one step, with their outputs in the same order."""

    step_id: str
    tool_calls: Sequence[ToolCall]
    tool_responses: Sequence[ToolResponse]


StepResult: TypeAlias = InferenceStepResult | ToolExecutionStepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """First event of a turn; `session_id` is None without a session."""

    turn_id: str
    session_id: str | None
    event_type: Literal["turn_started"] = "turn_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """Start of a step; inference steps have no metadata."""

    step_id: str
    step_type: StepType
    turn_id: str
    metadata: StepMetadata | None = None
    event_type: Literal["step_started"] = "step_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """Progress of a step."""

    step_id: str
    step_type: StepType
    turn_id: str
    delta: StepDelta
    event_type: Literal["step_progress"] = "step_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCompleted:
    """End of a step, also of a failed one."""

    step_id: str
    step_type: StepType
    turn_id: str
    result: StepResult
    event_type: Literal["step_completed"] = "step_completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCompleted:
    """Last event of a turn that reached its answer."""

    turn_id: str
    session_id: str | None
    final_text: str
    response_ids: Sequence[str]
    num_steps: int
    event_type: Literal["turn_completed"] = "turn_completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFailed:
    """Last event of a turn without an answer."""

    turn_id: str
    session_id: str | None
    error_message: str
    code: str
    """Code of the server's error, or of the agent's."""
    event_type: Literal["turn_failed"] = "turn_failed"


AgentEvent: TypeAlias = TurnStarted | StepStarted | StepProgress | StepCompleted | TurnCompleted | TurnFailed
