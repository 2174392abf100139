"""Events of hosted tools in a response's stream.

`sequence_number` is set once, when the event is added to the stream. See
https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from msgspec import UNSET, Struct, UnsetType


class _ToolEvent(Struct):
    """Event of a hosted tool that has no content besides its type."""

    item_id: str
    output_index: int
    sequence_number: int = 0


class WebSearchCallInProgress(_ToolEvent, tag="response.web_search_call.in_progress"):
    """Start of a web search call."""


class WebSearchCallSearching(_ToolEvent, tag="response.web_search_call.searching"):
    """Start of the search in a web search call."""


class WebSearchCallCompleted(_ToolEvent, tag="response.web_search_call.completed"):
    """Completed web search call."""


class FileSearchCallInProgress(_ToolEvent, tag="response.file_search_call.in_progress"):
    """Start of a file search call."""


class FileSearchCallSearching(_ToolEvent, tag="response.file_search_call.searching"):
    """Start of the search in a file search call."""


class FileSearchCallCompleted(_ToolEvent, tag="response.file_search_call.completed"):
    """Completed file search call."""


class CodeInterpreterCallInProgress(_ToolEvent, tag="response.code_interpreter_call.in_progress"):
    """Start of a code interpreter call."""


class CodeInterpreterCallCodeDelta(Struct, tag="response.code_interpreter_call_code.delta"):
    """Part of the code of a code interpreter call."""

    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class CodeInterpreterCallCodeDone(Struct, tag="response.code_interpreter_call_code.done"):
    """Complete code of a code interpreter call."""

    item_id: str
    output_index: int
    code: str
    sequence_number: int = 0


class CodeInterpreterCallInterpreting(_ToolEvent, tag="response.code_interpreter_call.interpreting"):
    """Start of the code of a code interpreter call."""


class CodeInterpreterCallCompleted(_ToolEvent, tag="response.code_interpreter_call.completed"):
    """Completed code interpreter call."""


class McpListToolsInProgress(_ToolEvent, tag="response.mcp_list_tools.in_progress"):
    """Start of the listing of an MCP server's tools."""


class McpListToolsCompleted(_ToolEvent, tag="response.mcp_list_tools.completed"):
    """Completed listing of an MCP server's tools."""


class McpListToolsFailed(_ToolEvent, tag="response.mcp_list_tools.failed"):
    """Failed listing of an MCP server's tools."""


class McpCallInProgress(_ToolEvent, tag="response.mcp_call.in_progress"):
    """Start of an MCP tool call."""


class McpCallCompleted(_ToolEvent, tag="response.mcp_call.completed"):
    """Completed MCP tool call."""


class McpCallFailed(_ToolEvent, tag="response.mcp_call.failed"):
    """Failed MCP tool call."""


class ImageGenerationCallInProgress(_ToolEvent, tag="response.image_generation_call.in_progress"):
    """Start of an image generation call."""


class ImageGenerationCallGenerating(_ToolEvent, tag="response.image_generation_call.generating"):
    """Start of the generation of an image."""


class ImageGenerationCallCompleted(_ToolEvent, tag="response.image_generation_call.completed"):
    """Completed image generation call."""


class ImageGenerationCallPartialImage(Struct, tag="response.image_generation_call.partial_image"):
    """Preliminary image."""

    item_id: str
    output_index: int
    partial_image_index: int
    partial_image_b64: str
    size: str | None | UnsetType = UNSET
    quality: str | None | UnsetType = UNSET
    background: str | None | UnsetType = UNSET
    output_format: str | None | UnsetType = UNSET
    sequence_number: int = 0


class McpCallArgumentsDelta(Struct, tag="response.mcp_call_arguments.delta"):
    """Piece of an MCP tool call's arguments."""

    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class McpCallArgumentsDone(Struct, tag="response.mcp_call_arguments.done"):
    """Complete arguments of an MCP tool call."""

    item_id: str
    output_index: int
    arguments: str
    sequence_number: int = 0


class ShellCallCommandAdded(Struct, tag="response.shell_call_command.added"):
    """Start of a command of a shell call."""

    output_index: int
    command_index: int
    command: str
    sequence_number: int = 0


class ShellCallCommandDelta(Struct, tag="response.shell_call_command.delta"):
    """Piece of a command of a shell call."""

    output_index: int
    command_index: int
    delta: str
    sequence_number: int = 0


class ShellCallCommandDone(Struct, tag="response.shell_call_command.done"):
    """Complete command of a shell call."""

    output_index: int
    command_index: int
    command: str
    sequence_number: int = 0


class ApplyPatchCallOperationDiffDelta(Struct, tag="response.apply_patch_call_operation_diff.delta"):
    """Piece of the diff of a patch; api.openai.com sends it, although its description doesn't have it."""

    item_id: str
    output_index: int
    delta: str
    sequence_number: int = 0


class ApplyPatchCallOperationDiffDone(Struct, tag="response.apply_patch_call_operation_diff.done"):
    """Complete diff of a patch; api.openai.com sends it, although its description doesn't have it."""

    item_id: str
    output_index: int
    diff: str
    sequence_number: int = 0
