"""Anthropic's Messages API: requests, messages, the events of a stream, and errors.

See https://docs.anthropic.com/en/api/messages.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.configuration import Effort
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import ToolName

_MOST = 2**63 - 1
"""Largest integer that backends are expected to accept; JSON itself has no limit."""


class Base64Data(Struct, tag="base64", kw_only=True):
    """Data of an image or a document."""

    media_type: str
    data: str


class TextData(Struct, tag="text", kw_only=True):
    """Plain text of a document."""

    media_type: Literal["text/plain"] = "text/plain"
    data: str


class UrlReference(Struct, tag="url"):
    """Address of an image or a document."""

    url: str


class UploadedFile(Struct, tag="file"):
    """File that the client has uploaded at `/v1/files`."""

    file_id: str


class TextBlock(Struct, tag="text", kw_only=True):
    """Text."""

    text: str
    cache_control: JSON | UnsetType = UNSET
    citations: JSON | UnsetType = UNSET


class ImageBlock(Struct, tag="image", kw_only=True):
    """Image of the user or of a tool."""

    source: Base64Data | UrlReference | UploadedFile
    cache_control: JSON | UnsetType = UNSET


class DocumentCitations(Struct, kw_only=True):
    """Whether the model cites a document."""

    enabled: bool | None = None


class DocumentBlock(Struct, tag="document", kw_only=True):
    """Document of the user or of a tool."""

    source: Base64Data | TextData | UrlReference | UploadedFile
    title: str | None = None
    context: str | None = None
    citations: DocumentCitations | None = None
    cache_control: JSON | UnsetType = UNSET


class ThinkingBlock(Struct, tag="thinking", kw_only=True):
    """Reasoning of the model; the signature is the encrypted reasoning."""

    thinking: str
    signature: str


class RedactedThinkingBlock(Struct, tag="redacted_thinking"):
    """Reasoning of the model without text."""

    data: str


class ToolUseBlock(Struct, tag="tool_use", kw_only=True):
    """Call of a tool of the client."""

    id: str
    name: str
    input: JSONObject
    cache_control: JSON | UnsetType = UNSET
    caller: JSON | UnsetType = UNSET


class ToolResultBlock(Struct, tag="tool_result", kw_only=True):
    """Result of a tool of the client."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    cache_control: JSON | UnsetType = UNSET


ContentBlock = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock
)
"""Block of a message in a request."""


class MessageParam(Struct, kw_only=True):
    """Message in a request."""

    role: Literal["user", "assistant", "system"]
    content: str | list[ContentBlock]


class ClientTool(Struct, kw_only=True):
    """Tool of the client; other values of `type` name tools of Anthropic."""

    type: str | None = None
    name: ToolName
    input_schema: JSONObject | UnsetType = UNSET
    description: str | None = None
    strict: bool | None = None
    cache_control: JSON | UnsetType = UNSET
    defer_loading: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: JSON | UnsetType = UNSET
    allowed_callers: list[str] | None = None


class AutoTool(Struct, tag="auto"):
    """The model chooses whether it calls tools."""

    disable_parallel_tool_use: bool | None = None


class AnyTool(Struct, tag="any"):
    """The model calls at least one tool."""

    disable_parallel_tool_use: bool | None = None


class OneTool(Struct, tag="tool", kw_only=True):
    """The model calls this tool."""

    name: str
    disable_parallel_tool_use: bool | None = None


class NoTool(Struct, tag="none"):
    """The model calls no tool."""


Display = Literal["summarized", "omitted"]


class ThinkingEnabled(Struct, tag="enabled", kw_only=True):
    """Thinking with a budget of tokens."""

    budget_tokens: Annotated[int, Meta(ge=1, le=_MOST)]
    display: Display | None = None


class ThinkingAdaptive(Struct, tag="adaptive", kw_only=True):
    """Thinking as much as the model finds useful."""

    display: Display | None = None


class ThinkingBetweenTools(Struct, tag="between_tools", kw_only=True):
    """Thinking between calls of tools."""

    display: Display | None = None


class ThinkingDisabled(Struct, tag="disabled"):
    """No thinking."""


class SchemaOutput(Struct, tag="json_schema"):
    """JSON that conforms to a schema as the output."""

    schema: JSONObject


class OutputConfig(Struct, kw_only=True):
    """Effort and format of the output."""

    effort: Effort | None = None
    format: SchemaOutput | None = None
    task_budget: JSON | UnsetType = UNSET


class UserMetadata(Struct, kw_only=True):
    """Metadata of a request."""

    user_id: str | None = None


class CountMessageTokens(Struct, kw_only=True):
    """Body of `POST /v1/messages/count_tokens`, the input of a request to the model."""

    model: str
    messages: Annotated[list[MessageParam], Meta(min_length=1)]
    system: str | list[TextBlock] | None = None
    tools: list[ClientTool] | None = None
    tool_choice: AutoTool | AnyTool | OneTool | NoTool | None = None
    thinking: ThinkingEnabled | ThinkingAdaptive | ThinkingBetweenTools | ThinkingDisabled | None = None
    output_config: OutputConfig | None = None
    cache_control: JSON | UnsetType = UNSET
    context_management: JSON | UnsetType = UNSET
    speed: str | None = None
    mcp_servers: JSON | UnsetType = UNSET
    container: JSON | UnsetType = UNSET
    compaction: JSON | UnsetType = UNSET
    thread: JSON | UnsetType = UNSET


class CreateMessage(CountMessageTokens, kw_only=True):
    """Body of `POST /v1/messages`; null means the default, and unknown keys are ignored."""

    max_tokens: Annotated[int, Meta(ge=1, le=_MOST)]
    stop_sequences: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=1000)]], Meta(max_length=64)] | None
    ) = None
    stream: bool | None = None
    metadata: UserMetadata | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: JSON | UnsetType = UNSET
    service_tier: str | None = None
    inference_geo: JSON | UnsetType = UNSET
    fallbacks: JSON | UnsetType = UNSET
    diagnostics: JSON | UnsetType = UNSET


class MessageTokens(Struct):
    """Response to `POST /v1/messages/count_tokens`."""

    input_tokens: int


StopReason = Literal["end_turn", "tool_use", "max_tokens", "stop_sequence", "refusal"]


class ThinkingTokens(Struct):
    """Breakdown of the output tokens."""

    thinking_tokens: int = 0


class MessageUsage(Struct, kw_only=True):
    """Token counts of a message; `input_tokens` doesn't contain the cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    output_tokens_details: ThinkingTokens | UnsetType = UNSET


OutputBlock = TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock
"""Block of a message of the model."""


class AssistantMessage(Struct, kw_only=True):
    """Message of the model; `stop_reason` is null only at the start of a stream."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[OutputBlock]
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: MessageUsage


class MessageStart(Struct, tag="message_start"):
    """First event of a stream, with the message without content."""

    message: AssistantMessage


class Ping(Struct, tag="ping"):
    """Event without a meaning."""


class ContentBlockStart(Struct, tag="content_block_start"):
    """Start of a block."""

    index: int
    content_block: OutputBlock


class TextDelta(Struct, tag="text_delta"):
    """Piece of text."""

    text: str


class ThinkingDelta(Struct, tag="thinking_delta"):
    """Piece of reasoning."""

    thinking: str


class SignatureDelta(Struct, tag="signature_delta"):
    """The whole signature of a thinking block."""

    signature: str


class InputJsonDelta(Struct, tag="input_json_delta"):
    """Piece of the JSON text of a tool's input."""

    partial_json: str


BlockDelta = TextDelta | ThinkingDelta | SignatureDelta | InputJsonDelta


class ContentBlockDelta(Struct, tag="content_block_delta"):
    """Piece of a block."""

    index: int
    delta: BlockDelta


class ContentBlockStop(Struct, tag="content_block_stop"):
    """End of a block."""

    index: int


class MessageEnd(Struct, kw_only=True):
    """Reason for the end of a message."""

    stop_reason: StopReason
    stop_sequence: str | None = None


class MessageDelta(Struct, tag="message_delta"):
    """End of the content, with the token counts of the whole message."""

    delta: MessageEnd
    usage: MessageUsage


class MessageStop(Struct, tag="message_stop"):
    """Last event of a stream."""


class MessagesErrorBody(Struct):
    """Error object of Anthropic's APIs."""

    type: str
    message: str


class MessagesError(Struct, tag="error", kw_only=True):
    """Body of an HTTP error of Anthropic's APIs, and the last event of a stream that fails."""

    error: MessagesErrorBody
    request_id: str | UnsetType = UNSET


MessageEvent = (
    MessageStart
    | Ping
    | ContentBlockStart
    | ContentBlockDelta
    | ContentBlockStop
    | MessageDelta
    | MessageStop
    | MessagesError
)
