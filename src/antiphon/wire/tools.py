"""Tools, their options, and tool choices."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from antiphon.wire.json import JSON, JSONObject

ToolName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]


MemoryLimit = Literal["1g", "4g", "16g", "64g"]
"""Memory of a container."""


class FunctionTool(Struct, tag="function", kw_only=True):
    """Function that the client runs; an absent `strict` means true.

    With `async`, the model goes on without the output, which the client sends in a later request.
    """

    description: str | None | UnsetType = UNSET
    name: ToolName
    parameters: JSONObject | None | UnsetType = UNSET
    strict: bool | None | UnsetType = UNSET
    output_schema: JSONObject | None | UnsetType = UNSET
    defer_loading: bool | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET
    is_async: bool | None | UnsetType = field(default=UNSET, name="async")


class CustomTextFormat(Struct, tag="text", kw_only=True):
    """Any text as the input of a custom tool."""


class CustomGrammarFormat(Struct, tag="grammar", kw_only=True):
    """Grammar for the input of a custom tool.

    `definition` uses Rust's dialect of regular expressions, or llguidance's dialect of Lark.
    """

    syntax: Literal["lark", "regex"]
    definition: str


class CustomTool(Struct, tag="custom", kw_only=True):
    """Tool that the client runs and that receives text instead of JSON; for `async` see functions."""

    description: str | None | UnsetType = UNSET
    name: ToolName
    format: CustomTextFormat | CustomGrammarFormat | None | UnsetType = UNSET
    defer_loading: bool | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET
    is_async: bool | None | UnsetType = field(default=UNSET, name="async")


class NamespaceTool(Struct, tag="namespace", kw_only=True):
    """Named group of tools."""

    description: str | None | UnsetType = UNSET
    name: ToolName
    tools: list[FunctionTool | CustomTool]


class WebSearchTool(Struct, tag="web_search", kw_only=True):
    """Hosted web search."""

    external_web_access: bool | None | UnsetType = UNSET
    filters: JSONObject | None | UnsetType = UNSET
    search_context_size: Literal["low", "medium", "high"] | None | UnsetType = UNSET
    user_location: JSONObject | None | UnsetType = UNSET
    search_content_types: list[str] | None | UnsetType = UNSET
    return_token_budget: JSON | UnsetType = UNSET


class WebSearch20250826Tool(WebSearchTool, tag="web_search_2025_08_26", kw_only=True):
    """Hosted web search, version of 2025-08-26."""


class WebSearchPreviewTool(WebSearchTool, tag="web_search_preview", kw_only=True):
    """Hosted web search, preview."""


class WebSearchPreview20250311Tool(WebSearchTool, tag="web_search_preview_2025_03_11", kw_only=True):
    """Hosted web search, preview of 2025-03-11."""


class FileSearchTool(Struct, tag="file_search", kw_only=True):
    """Hosted file search."""

    filters: JSONObject | None | UnsetType = UNSET
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None | UnsetType = UNSET
    ranking_options: JSONObject | None | UnsetType = UNSET
    vector_store_ids: list[str]


class McpTool(Struct, tag="mcp", kw_only=True):
    """Tools of an MCP server."""

    server_label: str
    server_url: str | None | UnsetType = UNSET
    connector_id: str | None | UnsetType = UNSET
    tunnel_id: str | None | UnsetType = UNSET
    authorization: str | None | UnsetType = UNSET
    server_description: str | None | UnsetType = UNSET
    headers: dict[str, str] | None | UnsetType = UNSET
    allowed_tools: list[str] | JSONObject | None | UnsetType = UNSET
    require_approval: str | JSONObject | None | UnsetType = UNSET
    defer_loading: bool | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET


class AutoContainer(Struct, tag="auto", kw_only=True):
    """Container of the code interpreter that is found or made for a response."""

    file_ids: Annotated[list[str], Meta(max_length=50)] | None | UnsetType = UNSET
    memory_limit: MemoryLimit | None | UnsetType = UNSET
    network_policy: JSONObject | None | UnsetType = UNSET


class CodeInterpreterTool(Struct, tag="code_interpreter", kw_only=True):
    """Hosted code interpreter."""

    container: str | AutoContainer
    allowed_callers: list[str] | None | UnsetType = UNSET


class ImageGenerationTool(Struct, tag="image_generation", kw_only=True):
    """Hosted image generation."""

    action: Literal["generate", "edit", "auto"] | None | UnsetType = UNSET
    background: str | None | UnsetType = UNSET
    complexity: str | None | UnsetType = UNSET
    frame_count: int | None | UnsetType = UNSET
    frame_duration_ms: int | None | UnsetType = UNSET
    input_fidelity: str | None | UnsetType = UNSET
    input_image_mask: JSONObject | None | UnsetType = UNSET
    model: str | None | UnsetType = UNSET
    moderation: str | None | UnsetType = UNSET
    output_compression: Annotated[int, Meta(ge=0, le=100)] | None | UnsetType = UNSET
    output_format: str | None | UnsetType = UNSET
    partial_images: Annotated[int, Meta(ge=0, le=3)] | None | UnsetType = UNSET
    quality: str | None | UnsetType = UNSET
    size: str | None | UnsetType = UNSET
    svg: JSONObject | None | UnsetType = UNSET


class ComputerTool(Struct, tag="computer", kw_only=True):
    """Control of a computer."""


class ComputerUsePreviewTool(Struct, tag="computer_use_preview", kw_only=True):
    """Control of a computer, preview."""

    environment: str
    display_width: int
    display_height: int


class LocalShellTool(Struct, tag="local_shell", kw_only=True):
    """Shell on the client's machine."""


class ShellTool(Struct, tag="shell", kw_only=True):
    """Shell commands."""

    environment: JSONObject | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET


class ApplyPatchTool(Struct, tag="apply_patch", kw_only=True):
    """Changes to files through patches."""

    allowed_callers: list[str] | None | UnsetType = UNSET


class ToolSearchTool(Struct, tag="tool_search", kw_only=True):
    """Search for tools that are loaded on demand."""

    execution: Literal["server", "client"] | UnsetType = UNSET
    description: str | None | UnsetType = UNSET
    parameters: JSONObject | None | UnsetType = UNSET


class ProgrammaticToolCallingTool(Struct, tag="programmatic_tool_calling", kw_only=True):
    """Tool calls from programs that the model writes."""


Tool = (
    FunctionTool
    | CustomTool
    | NamespaceTool
    | WebSearchTool
    | WebSearch20250826Tool
    | WebSearchPreviewTool
    | WebSearchPreview20250311Tool
    | FileSearchTool
    | McpTool
    | CodeInterpreterTool
    | ImageGenerationTool
    | ComputerTool
    | ComputerUsePreviewTool
    | LocalShellTool
    | ShellTool
    | ApplyPatchTool
    | ToolSearchTool
    | ProgrammaticToolCallingTool
)


class FunctionChoice(Struct, tag="function", kw_only=True):
    """Choice of a function."""

    name: str


class CustomChoice(Struct, tag="custom", kw_only=True):
    """Choice of a custom tool."""

    name: str


class McpChoice(Struct, tag="mcp", kw_only=True):
    """Choice of an MCP server or one of its tools."""

    server_label: str
    name: str | None | UnsetType = UNSET


class AllowedToolsChoice(Struct, tag="allowed_tools", kw_only=True):
    """Restriction to some of the tools; each entry has the form of a tool choice."""

    mode: Literal["auto", "required"]
    tools: list[JSONObject]


class FileSearchChoice(Struct, tag="file_search"):
    """Choice of the file search."""


class WebSearchChoice(Struct, tag="web_search"):
    """Choice of the web search."""


class WebSearch20250826Choice(Struct, tag="web_search_2025_08_26"):
    """Choice of the web search, version of 2025-08-26."""


class WebSearchPreviewChoice(Struct, tag="web_search_preview"):
    """Choice of the web search, preview."""


class WebSearchPreview20250311Choice(Struct, tag="web_search_preview_2025_03_11"):
    """Choice of the web search, preview of 2025-03-11."""


class ComputerChoice(Struct, tag="computer"):
    """Choice of the computer tool."""


class ComputerUseChoice(Struct, tag="computer_use"):
    """Choice of the computer tool, by its earlier name."""


class ComputerUsePreviewChoice(Struct, tag="computer_use_preview"):
    """Choice of the computer tool, preview."""


class ImageGenerationChoice(Struct, tag="image_generation"):
    """Choice of the image generation."""


class CodeInterpreterChoice(Struct, tag="code_interpreter"):
    """Choice of the code interpreter."""


class ApplyPatchChoice(Struct, tag="apply_patch"):
    """Choice of the tool that applies patches."""


class ShellChoice(Struct, tag="shell"):
    """Choice of the shell."""


class ProgrammaticToolCallingChoice(Struct, tag="programmatic_tool_calling"):
    """Choice of tool calls from programs."""


ToolChoice = (
    Literal["none", "auto", "required"]
    | FunctionChoice
    | CustomChoice
    | McpChoice
    | AllowedToolsChoice
    | FileSearchChoice
    | WebSearchChoice
    | WebSearch20250826Choice
    | WebSearchPreviewChoice
    | WebSearchPreview20250311Choice
    | ComputerChoice
    | ComputerUseChoice
    | ComputerUsePreviewChoice
    | ImageGenerationChoice
    | CodeInterpreterChoice
    | ApplyPatchChoice
    | ShellChoice
    | ProgrammaticToolCallingChoice
)
