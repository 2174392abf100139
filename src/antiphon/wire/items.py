"""Input and output items of responses and conversations."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from antiphon.wire.configuration import ConfigurationUpdate
from antiphon.wire.content import (
    ComputerScreenshot,
    ContentPart,
    ReasoningText,
    SummaryText,
    ToolOutputPart,
)
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import Tool

ItemStatus = Literal["in_progress", "completed", "incomplete"]
Phase = Literal["commentary", "final_answer"]


class Message(Struct, tag="message", kw_only=True):
    """Message of any role; `content` is a string only in requests."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    content: str | list[ContentPart]
    role: Literal["user", "assistant", "system", "developer"]
    phase: Phase | None | UnsetType = UNSET


class FunctionCall(Struct, tag="function_call", kw_only=True):
    """Call of a function; `arguments` is the JSON text exactly as the model wrote it."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    arguments: str
    call_id: str
    name: str
    namespace: str | None | UnsetType = UNSET
    caller: JSONObject | None | UnsetType = UNSET
    is_async: bool | None | UnsetType = field(default=UNSET, name="async")


class FunctionCallOutput(Struct, tag="function_call_output", kw_only=True):
    """Output of a function call, sent by the client; requests need `call_id`, items may lack it."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str | None | UnsetType = UNSET
    output: str | list[ToolOutputPart]
    name: str | None | UnsetType = UNSET
    namespace: str | None | UnsetType = UNSET
    caller: JSONObject | None | UnsetType = UNSET


class Reasoning(Struct, tag="reasoning", kw_only=True):
    """Reasoning of the model; api.openai.com omits `status`."""

    id: str | None | UnsetType = UNSET
    summary: list[SummaryText]
    content: list[ReasoningText] | None | UnsetType = UNSET
    encrypted_content: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET


class WebSearchCall(Struct, tag="web_search_call", kw_only=True):
    """Call of the hosted web search."""

    id: str | None | UnsetType = UNSET
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"]
    action: JSONObject | None | UnsetType = UNSET
    results: list[JSON] | None | UnsetType = UNSET


class FileSearchCall(Struct, tag="file_search_call", kw_only=True):
    """Call of the hosted file search."""

    id: str | None | UnsetType = UNSET
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"]
    queries: list[str]
    results: list[JSONObject] | None | UnsetType = UNSET


class CodeInterpreterCall(Struct, tag="code_interpreter_call", kw_only=True):
    """Call of the hosted code interpreter."""

    id: str | None | UnsetType = UNSET
    status: Literal["in_progress", "completed", "incomplete", "interpreting", "failed"]
    code: str | None
    container_id: str
    outputs: list[JSONObject] | None | UnsetType = UNSET


class McpListTools(Struct, tag="mcp_list_tools", kw_only=True):
    """Tools of an MCP server, as listed."""

    id: str | None | UnsetType = UNSET
    server_label: str
    tools: list[JSONObject]
    error: JSON | UnsetType = UNSET


class McpApprovalRequest(Struct, tag="mcp_approval_request", kw_only=True):
    """Request for approval of an MCP tool call."""

    id: str | None | UnsetType = UNSET
    arguments: str
    name: str
    server_label: str


class McpApprovalResponse(Struct, tag="mcp_approval_response", kw_only=True):
    """Client's approval or denial of an MCP tool call."""

    id: str | None | UnsetType = UNSET
    request_id: str | None | UnsetType = UNSET
    approval_request_id: str
    approve: bool
    reason: str | None | UnsetType = UNSET


class McpCall(Struct, tag="mcp_call", kw_only=True):
    """Call of a tool of an MCP server."""

    id: str | None | UnsetType = UNSET
    status: Literal["in_progress", "completed", "incomplete", "calling", "failed"] | None | UnsetType = UNSET
    approval_request_id: str | None | UnsetType = UNSET
    arguments: str
    error: JSON | UnsetType = UNSET
    name: str
    output: str | None | UnsetType = UNSET
    server_label: str


class ImageGenerationCall(Struct, tag="image_generation_call", kw_only=True):
    """Call of the hosted image generation; clients that send it back may omit `status`."""

    id: str | None | UnsetType = UNSET
    status: Literal["in_progress", "completed", "generating", "failed"] = "completed"
    result: str | None = None
    background: str | None | UnsetType = UNSET
    output_format: str | None | UnsetType = UNSET
    quality: str | None | UnsetType = UNSET
    revised_prompt: str | None | UnsetType = UNSET
    size: str | None | UnsetType = UNSET
    action: str | None | UnsetType = UNSET
    error: JSONObject | None | UnsetType = UNSET
    svg_usage: JSONObject | None | UnsetType = UNSET


class ComputerCall(Struct, tag="computer_call", kw_only=True):
    """Call of the computer tool."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str
    action: JSONObject | None | UnsetType = UNSET
    actions: list[JSONObject] | None | UnsetType = UNSET
    pending_safety_checks: list[JSONObject]


class ComputerCallOutput(Struct, tag="computer_call_output", kw_only=True):
    """Output of a computer call, sent by the client."""

    id: str | None | UnsetType = UNSET
    status: str | None | UnsetType = UNSET
    call_id: str
    output: ComputerScreenshot
    acknowledged_safety_checks: list[JSONObject] | None | UnsetType = UNSET


class LocalShellCall(Struct, tag="local_shell_call", kw_only=True):
    """Call of the local shell tool."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus
    call_id: str
    action: JSONObject


class LocalShellCallOutput(Struct, tag="local_shell_call_output", kw_only=True):
    """Output of a local shell call, sent by the client."""

    id: str | None | UnsetType = UNSET
    call_id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    output: str


class ShellCall(Struct, tag="shell_call", kw_only=True):
    """Call of the shell tool."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str
    action: JSONObject
    environment: JSONObject | None | UnsetType = UNSET
    caller: JSONObject | None | UnsetType = UNSET


class ShellCallOutput(Struct, tag="shell_call_output", kw_only=True):
    """Output of a shell call."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str
    output: list[JSONObject]
    max_output_length: int | None | UnsetType = UNSET
    caller: JSONObject | None | UnsetType = UNSET


class ApplyPatchCall(Struct, tag="apply_patch_call", kw_only=True):
    """Call of the tool that applies patches."""

    id: str | None | UnsetType = UNSET
    status: Literal["in_progress", "completed"]
    call_id: str
    operation: JSONObject
    caller: JSONObject | None | UnsetType = UNSET


class ApplyPatchCallOutput(Struct, tag="apply_patch_call_output", kw_only=True):
    """Output of a call that applies a patch, sent by the client."""

    id: str | None | UnsetType = UNSET
    status: Literal["completed", "failed"]
    call_id: str
    output: str | None | UnsetType = UNSET
    caller: JSONObject | None | UnsetType = UNSET


class CustomToolCall(Struct, tag="custom_tool_call", kw_only=True):
    """Call of a custom tool."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str
    input: str
    name: str
    namespace: str | None | UnsetType = UNSET
    caller: JSONObject | None | UnsetType = UNSET
    is_async: bool | None | UnsetType = field(default=UNSET, name="async")


class CustomToolCallOutput(Struct, tag="custom_tool_call_output", kw_only=True):
    """Output of a custom tool call, sent by the client."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str
    output: str | list[ToolOutputPart]
    caller: JSONObject | None | UnsetType = UNSET


class ToolSearchCall(Struct, tag="tool_search_call", kw_only=True):
    """Call of the tool search."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str | None = None
    execution: Literal["server", "client"] | UnsetType = UNSET
    arguments: JSON


class ToolSearchOutput(Struct, tag="tool_search_output", kw_only=True):
    """Tools that a tool search found."""

    id: str | None | UnsetType = UNSET
    status: ItemStatus | None | UnsetType = UNSET
    call_id: str | None = None
    execution: Literal["server", "client"] | UnsetType = UNSET
    tools: list[Tool]


class AdditionalTools(Struct, tag="additional_tools", kw_only=True):
    """Tools added in the middle of a conversation."""

    id: str | None | UnsetType = UNSET
    role: Literal["developer"]
    tools: list[Tool]


class Program(Struct, tag="program", kw_only=True):
    """Program that the model wrote to call tools."""

    id: str | None | UnsetType = UNSET
    call_id: str
    code: str
    fingerprint: str


class ProgramOutput(Struct, tag="program_output", kw_only=True):
    """Output of a program."""

    id: str | None | UnsetType = UNSET
    status: Literal["completed", "incomplete"]
    call_id: str
    result: str


class Compaction(Struct, tag="compaction", kw_only=True):
    """Encrypted summary of earlier items."""

    id: str | None | UnsetType = UNSET
    encrypted_content: str


class CompactionTrigger(Struct, tag="compaction_trigger", kw_only=True):
    """Request to compact the items before this one."""

    id: str | None | UnsetType = UNSET


class ItemReference(Struct, tag="item_reference", kw_only=True):
    """Reference to a stored item; `type` may be absent or null on the wire."""

    id: str


Item = (
    Message
    | FunctionCall
    | FunctionCallOutput
    | Reasoning
    | WebSearchCall
    | FileSearchCall
    | CodeInterpreterCall
    | McpListTools
    | McpApprovalRequest
    | McpApprovalResponse
    | McpCall
    | ImageGenerationCall
    | ComputerCall
    | ComputerCallOutput
    | LocalShellCall
    | LocalShellCallOutput
    | ShellCall
    | ShellCallOutput
    | ApplyPatchCall
    | ApplyPatchCallOutput
    | CustomToolCall
    | CustomToolCallOutput
    | ToolSearchCall
    | ToolSearchOutput
    | AdditionalTools
    | Program
    | ProgramOutput
    | Compaction
    | ConfigurationUpdate
)
"""Item that can be stored and listed."""

InputItem = Item | CompactionTrigger | ItemReference
"""Item of a request."""

ITEM_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "mcp_call": "mcp",
    "image_generation_call": "ig",
    "computer_call": "cu",
    "computer_call_output": "cuo",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "shell_call": "sh",
    "shell_call_output": "sho",
    "apply_patch_call": "apc",
    "apply_patch_call_output": "apco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "tool_search_call": "tsc",
    "tool_search_output": "tso",
    "additional_tools": "at",
    "program": "cm",
    "program_output": "cmo",
    "compaction": "cmp",
    "configuration_update": "cfg",
}
"""ID prefix of each item type, without the underscore."""
