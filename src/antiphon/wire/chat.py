"""Chat Completions, the upstream's API: requests that are sent and chunks that are read.

Requests are typed dictionaries, because they are built once, sent, and compared with recordings as plain
JSON. Chunks are structs, because thousands are decoded a second; keys that nothing reads are skipped.
"""

from typing import Literal, TypedDict

from msgspec import Struct

from antiphon.wire.content import Logprob
from antiphon.wire.json import JSON, JSONObject


class ImageUrl(TypedDict, total=False):
    url: str
    detail: str


class ChatFile(TypedDict, total=False):
    file_id: str
    filename: str
    file_data: str


class ChatContentPart(TypedDict, total=False):
    type: Literal["text", "image_url", "file", "input_audio", "refusal"]
    text: str
    image_url: ImageUrl
    file: ChatFile
    input_audio: JSONObject
    refusal: str


class ChatFunctionCall(TypedDict):
    name: str
    arguments: str


class ChatCustomCall(TypedDict):
    name: str
    input: str


class ChatToolCall(TypedDict, total=False):
    """`custom` is the call of a tool that takes text, as OpenAI's own models know it."""

    id: str
    type: Literal["function", "custom"]
    function: ChatFunctionCall
    custom: ChatCustomCall


class ChatMessage(TypedDict, total=False):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ChatContentPart] | None
    tool_calls: list[ChatToolCall]
    tool_call_id: str
    refusal: str
    reasoning: str
    reasoning_content: str
    reasoning_details: list[JSONObject]


class ChatFunction(TypedDict, total=False):
    name: str
    description: str
    parameters: JSONObject
    strict: bool


class ChatCustom(TypedDict, total=False):
    name: str
    description: str
    format: JSONObject


class ChatTool(TypedDict, total=False):
    type: Literal["function", "custom"]
    function: ChatFunction
    custom: ChatCustom


class ChatRequest(TypedDict, total=False):
    """The body of a chat completion request. A proxied one may hold further keys."""

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
    name: str | None = None
    arguments: str | JSONObject | None = None


class CustomDelta(Struct):
    name: str | None = None
    input: str | None = None


class ToolCallDelta(Struct):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None
    custom: CustomDelta | None = None


class ReasoningDetail(Struct, omit_defaults=True):
    """OpenRouter's form of reasoning: `type` is reasoning.text, reasoning.summary or reasoning.encrypted.

    It is given back as it came, so that every key that is known is kept.
    """

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class ContentPiece(Struct):
    """Mistral's form of content: pieces of text, and of thinking, which holds pieces itself."""

    type: str = ""
    text: str | None = None
    thinking: "str | list[ContentPiece] | None" = None


class Delta(Struct, gc=False):
    content: str | list[ContentPiece] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChoiceLogprobs(Struct):
    content: list[Logprob] | None = None


class Choice(Struct, gc=False):
    """`message` stands in for `delta` where a backend answers a streaming request in one piece."""

    index: int | None = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None


class PromptTokensDetails(Struct):
    cached_tokens: int | None = None


class CompletionTokensDetails(Struct):
    reasoning_tokens: int | None = None


class ChatUsage(Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None


class Chunk(Struct, gc=False):
    """One chunk of a streamed chat completion.

    `error` is how most backends report a fault inside a stream; some send an error object as the chunk, whose
    `message` and `code` these are.
    """

    choices: list[Choice] | None = None
    usage: ChatUsage | None = None
    service_tier: str | None = None
    error: JSON = None
    message: JSON = None
    code: JSON = None

    def plain_text(self) -> str | None:
        """Returns the text of a chunk that brings nothing else but a service tier.

        The hot path: nearly every chunk is one.
        """
        choices = self.choices
        if choices is None or len(choices) != 1 or self.usage is not None or self.error is not None:
            return None
        choice = choices[0]
        delta = choice.delta
        if delta is None or choice.index or choice.finish_reason:
            return None
        text = delta.content
        is_alone = (
            delta.tool_calls is None
            and delta.reasoning_content is None
            and delta.reasoning is None
            and delta.reasoning_details is None
            and delta.refusal is None
        )
        return text if is_alone and isinstance(text, str) and text else None
