"""Response object, and the requests that create a response or count its input."""

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.configuration import Effort, JsonObjectFormat, JsonSchemaFormat, TextFormat
from antiphon.wire.content import InputFile, InputImage, InputText
from antiphon.wire.items import InputItem, Item
from antiphon.wire.moderation import Guardrail, Moderation, ModerationParam
from antiphon.wire.prompt_cache import PromptCacheDiagnostics
from antiphon.wire.tool_usage import ToolUsage
from antiphon.wire.tools import Tool, ToolChoice
from antiphon.wire.transformations import InputTransformation

Include = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
Metadata = dict[str, str]
ResponseStatus = Literal["queued", "in_progress", "completed", "failed", "incomplete", "cancelled"]
ServiceTier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"]
_MOST = 2**63 - 1
"""Largest integer that backends are expected to accept; JSON itself has no limit."""


class TextConfig(Struct, kw_only=True):
    """Format and verbosity of the output text."""

    format: TextFormat | JsonObjectFormat | JsonSchemaFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningConfig(Struct, kw_only=True):
    """Options of reasoning models."""

    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None | UnsetType = UNSET
    context: Literal["auto", "current_turn", "all_turns"] | None | UnsetType = UNSET
    mode: Literal["standard", "pro"] | None | UnsetType = UNSET


class ConversationReference(Struct):
    """Reference to a conversation."""

    id: str


class StreamOptions(Struct):
    """Options of a stream."""

    include_obfuscation: bool | None = None


class PromptReference(Struct, kw_only=True):
    """Stored prompt with values of its variables; `version` defaults to the prompt's."""

    id: str
    version: str | None | UnsetType = UNSET
    variables: dict[str, str | InputText | InputImage | InputFile] | None | UnsetType = UNSET


class PromptCacheOptions(Struct, kw_only=True):
    """Options of the prompt cache.

    A response shows them without `prewarm`. `comparison_response_id` names an earlier response that
    `prompt_cache_diagnostics` compares the request with.
    """

    mode: Literal["implicit", "explicit"] = "implicit"
    ttl: Literal["30m", "12h"] = "30m"
    prewarm: bool | None | UnsetType = UNSET
    comparison_response_id: str | None | UnsetType = UNSET


class ImageOptions(Struct, kw_only=True):
    """Options of the images in the input."""

    context_compression: Literal["auto", "enabled", "disabled"] = "auto"


class AccessPrograms(Struct, kw_only=True):
    """Programs of OpenAI that the request relies on; this server has none."""

    cyber: Literal["standard", "daybreak_blue", "daybreak_red"] | UnsetType = UNSET


class ContextManagement(Struct, kw_only=True):
    """Automatic management of the context."""

    type: Literal["compaction"]
    compact_threshold: Annotated[int, Meta(ge=1000, le=_MOST)] | None = None


class BackgroundOptions(Struct, kw_only=True):
    """Options of a background response."""

    completion_window: Literal["soonest", "2h", "8h"] | None = None
    continuation_id: str | None = None


class CreateResponse(Struct, kw_only=True):
    """Body of `POST /v1/responses`.

    Null means the default, and unknown keys are ignored. See
    https://platform.openai.com/docs/api-reference/responses/create.
    """

    model: str | None = None
    input: str | list[InputItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationReference | None = None
    store: bool | None = None
    background: bool | None = None
    background_options: BackgroundOptions | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    include: list[Include] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, Meta(ge=1, le=_MOST)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=16, le=_MOST)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    truncation: Literal["auto", "disabled"] | None = None
    context_management: Annotated[list[ContextManagement], Meta(min_length=1)] | None = None
    prompt: PromptReference | None = None
    metadata: Metadata | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=64)] | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    user: str | None = None
    service_tier: ServiceTier | None = None
    image: ImageOptions | None = None
    access_programs: AccessPrograms | None = None
    moderation: ModerationParam | None = None
    guardrails: Annotated[list[str | Guardrail], Meta(max_length=16)] | None = None
    """Checks of the settings that block input and output, in llama-stack's form."""


class ResponseCreateEvent(CreateResponse, kw_only=True):
    """WebSocket frame that requests a response; `stream` has no effect there."""

    type: Literal["response.create"]
    generate: bool | None = None
    """Whether to generate output; false only prepares the context of later requests."""
    stream_id: Annotated[str, Meta(min_length=1, max_length=256, pattern="^[A-Za-z0-9_.-]+$")] | None = None
    """Lane of the response; the responses of one lane run one after another."""


class CountInputTokens(Struct, kw_only=True):
    """Body of `POST /v1/responses/input_tokens`, the input of a request to the model."""

    model: str | None = None
    input: str | list[InputItem] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationReference | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    truncation: Literal["auto", "disabled"] | None = None
    personality: str | None = None


class InputTokens(Struct, kw_only=True):
    """Response to `POST /v1/responses/input_tokens`."""

    object: Literal["response.input_tokens"] = "response.input_tokens"
    input_tokens: int


class InputTokensDetails(Struct):
    """Breakdown of the input tokens."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(Struct):
    """Breakdown of the output tokens."""

    reasoning_tokens: int = 0


class Usage(Struct, kw_only=True):
    """Token counts over all model calls of a response."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails
    total_tokens: int = 0


class ResponseError(Struct):
    """Error of a failed response."""

    code: str
    message: str
    param: str | None = None
    type: str | None = None


class IncompleteDetails(Struct):
    """Reason for an incomplete response."""

    reason: Literal["max_output_tokens", "max_messages", "content_filter", "steered"]


class Response(Struct, kw_only=True):
    """Response object; all keys are present, except those that default to `UNSET`."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: ResponseStatus
    background: bool = False
    completed_at: int | None = None
    error: ResponseError | None = None
    frequency_penalty: float = 0.0
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: list[Item]
    parallel_tool_calls: bool = True
    presence_penalty: float = 0.0
    previous_response_id: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning: ReasoningConfig
    safety_identifier: str | None = None
    service_tier: str = "auto"
    store: bool = True
    temperature: float = 1.0
    text: TextConfig
    tool_choice: ToolChoice = "auto"
    tools: list[Tool]
    top_logprobs: int = 0
    top_p: float = 1.0
    truncation: Literal["auto", "disabled"] = "disabled"
    usage: Usage | None = None
    user: str | None = None
    metadata: Metadata
    conversation: ConversationReference | UnsetType = UNSET
    prompt: PromptReference | UnsetType = UNSET
    prompt_cache_options: PromptCacheOptions | UnsetType = UNSET
    context_management: list[ContextManagement] | UnsetType = UNSET
    access_programs: None | UnsetType = UNSET
    input_transformations: Sequence[InputTransformation] | UnsetType = UNSET
    tool_usage: ToolUsage | UnsetType = UNSET
    prompt_cache_diagnostics: PromptCacheDiagnostics | UnsetType = UNSET
    moderation: Moderation | UnsetType | None = UNSET


class DeletedResponse(Struct):
    """Response to `DELETE /v1/responses/{id}`."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True
