"""Requests and chunks of Chat Completions, the API of the backends.

Requests are typed dictionaries, because they are built once, sent, and compared with recordings as plain
JSON. Chunks are structs, because thousands are decoded per second; unused keys are skipped. See
https://platform.openai.com/docs/api-reference/chat.
"""

from typing import Literal, TypedDict

from msgspec import Struct

from antiphon.wire.content import Logprob
from antiphon.wire.json import JSON, JSONObject


class ImageUrl(TypedDict, total=False):
    """Image of a content part, by HTTP or `data:` URL."""

    url: str
    detail: str


class ChatFile(TypedDict, total=False):
    """File of a content part, by ID or inline."""

    file_id: str
    filename: str
    file_data: str


class ChatContentPart(TypedDict, total=False):
    """Part of a message's content."""

    type: Literal["text", "image_url", "file", "input_audio", "refusal"]
    text: str
    image_url: ImageUrl
    file: ChatFile
    input_audio: JSONObject
    refusal: str
    prompt_cache_breakpoint: JSONObject


class ChatFunctionCall(TypedDict):
    """Function and arguments of a tool call."""

    name: str
    arguments: str


class ChatCustomCall(TypedDict):
    """Custom tool and input text of a tool call."""

    name: str
    input: str


class ChatToolCall(TypedDict, total=False):
    """Call of a function, or of a custom tool, which receives text."""

    id: str
    type: Literal["function", "custom"]
    function: ChatFunctionCall
    custom: ChatCustomCall


class ChatMessage(TypedDict, total=False):
    """Message of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ChatContentPart] | None
    tool_calls: list[ChatToolCall]
    tool_call_id: str
    refusal: str
    reasoning: str
    reasoning_content: str
    reasoning_details: list[JSONObject]


class ChatFunction(TypedDict, total=False):
    """Definition of a function tool."""

    name: str
    description: str
    parameters: JSONObject
    strict: bool


class ChatCustom(TypedDict, total=False):
    """Definition of a custom tool."""

    name: str
    description: str
    format: JSONObject


class ChatTool(TypedDict, total=False):
    """Tool that the model may call."""

    type: Literal["function", "custom"]
    function: ChatFunction
    custom: ChatCustom


class ChatRequest(TypedDict, total=False):
    """Body of a chat completion request; a proxied one may contain other keys."""

    model: str
    messages: list[ChatMessage]
    stream: bool
    stream_options: JSONObject
    tools: list[ChatTool]
    tool_choice: str | JSONObject
    parallel_tool_calls: bool
    response_format: JSONObject
    structured_outputs: JSONObject
    max_completion_tokens: int
    max_tokens: int
    temperature: float
    top_p: float
    presence_penalty: float
    frequency_penalty: float
    logprobs: bool
    top_logprobs: int
    reasoning_effort: str
    verbosity: str
    service_tier: str
    safety_identifier: str
    prompt_cache_key: str
    prompt_cache_retention: str
    prompt_cache_options: dict[str, str]
    user: str


class FunctionDelta(Struct):
    """Piece of a function call."""

    name: str | None = None
    arguments: str | JSONObject | None = None


class CustomDelta(Struct):
    """Piece of a custom tool call."""

    name: str | None = None
    input: str | None = None


class ToolCallDelta(Struct):
    """Piece of a tool call; pieces with the same `index` belong together."""

    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None
    custom: CustomDelta | None = None


class ReasoningDetail(Struct, omit_defaults=True):
    """OpenRouter's form of reasoning.

    It must be sent back unchanged, so that this type keeps every documented key. See
    https://openrouter.ai/docs/use-cases/reasoning-tokens.
    """

    type: str = ""
    """`reasoning.text`, `reasoning.summary` or `reasoning.encrypted`."""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class ContentPiece(Struct):
    """Mistral's form of content: text, or thinking, which contains further pieces."""

    type: str = ""
    text: str | None = None
    thinking: "str | list[ContentPiece] | None" = None


class Delta(Struct, gc=False):
    """Piece of the model's message."""

    content: str | list[ContentPiece] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    tool_calls: list[ToolCallDelta] | None = None
    phase: JSON = None
    """The phase of the message, from backends that know it."""


class ChoiceLogprobs(Struct):
    """Log probabilities of a choice."""

    content: list[Logprob] | None = None


class Choice(Struct, gc=False):
    """One of the alternative completions; this server requests only one."""

    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None
    """Complete message of a non-streaming response; some backends never stream."""
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None


class PromptTokensDetails(Struct):
    """Breakdown of the input tokens."""

    cached_tokens: int | None = None


class CompletionTokensDetails(Struct):
    """Breakdown of the output tokens."""

    reasoning_tokens: int | None = None


class ChatUsage(Struct):
    """Token counts of a chat completion."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class Chunk(Struct, gc=False):
    """Chunk of a streamed chat completion."""

    choices: list[Choice] | None = None
    usage: ChatUsage | None = None
    service_tier: str | None = None
    error: JSON = None
    """Error within a stream, as most backends report it."""
    message: JSON = None
    """Message of an error, from backends that send the error object as a chunk."""
    code: JSON = None
    """Code of the error, from the same backends."""
