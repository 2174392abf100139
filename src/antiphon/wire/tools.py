"""Tools, tool choices and the settings each tool takes."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.json import JSON, JSONObject

ToolName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_-]+$")]


class FunctionTool(Struct, tag="function", kw_only=True):
    """`strict` left out means true on api.openai.com (seen in recordings)."""

    description: str | None | UnsetType = UNSET
    name: ToolName
    parameters: JSONObject | None | UnsetType = UNSET
    strict: bool | None | UnsetType = UNSET
    output_schema: JSONObject | None | UnsetType = UNSET
    defer_loading: bool | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET


class CustomTextFormat(Struct, tag="text", kw_only=True):
    pass


class CustomGrammarFormat(Struct, tag="grammar", kw_only=True):
    """`definition` is in Rust's dialect of regular expressions, or in llguidance's of Lark."""

    syntax: Literal["lark", "regex"]
    definition: str


class CustomTool(Struct, tag="custom", kw_only=True):
    """A tool that takes text instead of JSON."""

    description: str | None | UnsetType = UNSET
    name: ToolName
    format: CustomTextFormat | CustomGrammarFormat | None | UnsetType = UNSET
    defer_loading: bool | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET


class NamespaceTool(Struct, tag="namespace", kw_only=True):
    """A named group of tools."""

    description: str | None | UnsetType = UNSET
    name: ToolName
    tools: list[FunctionTool | CustomTool]


class WebSearchTool(Struct, tag="web_search", kw_only=True):
    external_web_access: bool | None | UnsetType = UNSET
    filters: JSONObject | None | UnsetType = UNSET
    search_context_size: Literal["low", "medium", "high"] | None | UnsetType = UNSET
    user_location: JSONObject | None | UnsetType = UNSET
    search_content_types: list[str] | None | UnsetType = UNSET
    return_token_budget: JSON | UnsetType = UNSET


class WebSearch20250826Tool(WebSearchTool, tag="web_search_2025_08_26", kw_only=True):
    pass


class WebSearchPreviewTool(WebSearchTool, tag="web_search_preview", kw_only=True):
    pass


class WebSearchPreview20250311Tool(WebSearchTool, tag="web_search_preview_2025_03_11", kw_only=True):
    pass


class FileSearchTool(Struct, tag="file_search", kw_only=True):
    filters: JSONObject | None | UnsetType = UNSET
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None | UnsetType = UNSET
    ranking_options: JSONObject | None | UnsetType = UNSET
    vector_store_ids: list[str]


class McpTool(Struct, tag="mcp", kw_only=True):
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


class CodeInterpreterTool(Struct, tag="code_interpreter", kw_only=True):
    container: str | JSONObject
    allowed_callers: list[str] | None | UnsetType = UNSET


class ImageGenerationTool(Struct, tag="image_generation", kw_only=True):
    model: str | UnsetType = UNSET


class ComputerTool(Struct, tag="computer", kw_only=True):
    pass


class ComputerUsePreviewTool(Struct, tag="computer_use_preview", kw_only=True):
    environment: str
    display_width: int
    display_height: int


class LocalShellTool(Struct, tag="local_shell", kw_only=True):
    pass


class ShellTool(Struct, tag="shell", kw_only=True):
    environment: JSONObject | None | UnsetType = UNSET
    allowed_callers: list[str] | None | UnsetType = UNSET


class ApplyPatchTool(Struct, tag="apply_patch", kw_only=True):
    allowed_callers: list[str] | None | UnsetType = UNSET


class ToolSearchTool(Struct, tag="tool_search", kw_only=True):
    execution: Literal["server", "client"] | UnsetType = UNSET
    description: str | None | UnsetType = UNSET
    parameters: JSONObject | None | UnsetType = UNSET


class ProgrammaticToolCallingTool(Struct, tag="programmatic_tool_calling", kw_only=True):
    pass


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
    name: str


class CustomChoice(Struct, tag="custom", kw_only=True):
    name: str


class McpChoice(Struct, tag="mcp", kw_only=True):
    server_label: str
    name: str | None | UnsetType = UNSET


class AllowedToolsChoice(Struct, tag="allowed_tools", kw_only=True):
    """Restricts the model to some of the tools. Each entry names a tool as a tool choice does."""

    mode: Literal["auto", "required"]
    tools: list[JSONObject]


class FileSearchChoice(Struct, tag="file_search"):
    pass


class WebSearchChoice(Struct, tag="web_search"):
    pass


class WebSearch20250826Choice(Struct, tag="web_search_2025_08_26"):
    pass


class WebSearchPreviewChoice(Struct, tag="web_search_preview"):
    pass


class WebSearchPreview20250311Choice(Struct, tag="web_search_preview_2025_03_11"):
    pass


class ComputerChoice(Struct, tag="computer"):
    pass


class ComputerUseChoice(Struct, tag="computer_use"):
    pass


class ComputerUsePreviewChoice(Struct, tag="computer_use_preview"):
    pass


class ImageGenerationChoice(Struct, tag="image_generation"):
    pass


class CodeInterpreterChoice(Struct, tag="code_interpreter"):
    pass


class ApplyPatchChoice(Struct, tag="apply_patch"):
    pass


class ShellChoice(Struct, tag="shell"):
    pass


class ProgrammaticToolCallingChoice(Struct, tag="programmatic_tool_calling"):
    pass


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
