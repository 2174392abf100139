"""The response object: the echoed settings of its request, its usage and its end."""

from collections.abc import Callable, Sequence
from typing import get_args

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.kinds import echoed
from antiphon.engine.reply.assemble import Assembler
from antiphon.engine.request_context import Clock
from antiphon.errors import AntiphonError
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.configuration import JsonSchemaFormat, TextFormat
from antiphon.wire.events import (
    ErrorEvent,
    Event,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    ResponseInProgress,
)
from antiphon.wire.items import Item, WebSearchCall
from antiphon.wire.moderation import Moderation
from antiphon.wire.responses import (
    ConversationReference,
    CreateResponse,
    IncompleteDetails,
    InputTokensDetails,
    OutputTokensDetails,
    PromptReference,
    ReasoningConfig,
    Response,
    ResponseError,
    ResponseStatus,
    ServiceTier,
    TextConfig,
    Usage,
)
from antiphon.wire.tool_usage import ToolUsage, WebSearchUsage
from antiphon.wire.tools import FunctionTool, ImageGenerationTool, NamespaceTool, Tool, WebSearchTool

_TIERS = get_args(ServiceTier)
"""The tiers of the API; some backends, such as Groq, send others."""


def new_response(request: CreateResponse, response_id: str, created_at: int) -> Response:
    """Return a response in progress, with the defaults of api.openai.com's responses."""
    response = Response(
        id=response_id,
        created_at=created_at,
        status="in_progress",
        background=request.background is True,
        frequency_penalty=0.0 if request.frequency_penalty is None else request.frequency_penalty,
        instructions=request.instructions,
        max_output_tokens=request.max_output_tokens,
        max_tool_calls=request.max_tool_calls,
        model=request.model or "",
        output=[],
        parallel_tool_calls=request.parallel_tool_calls is not False,
        presence_penalty=0.0 if request.presence_penalty is None else request.presence_penalty,
        previous_response_id=request.previous_response_id,
        prompt_cache_key=request.prompt_cache_key,
        prompt_cache_retention=request.prompt_cache_retention,
        reasoning=request.reasoning or ReasoningConfig(),
        safety_identifier=request.safety_identifier,
        service_tier=request.service_tier or "auto",
        store=request.store is not False,
        temperature=1.0 if request.temperature is None else request.temperature,
        text=_text(request.text) if request.text else TextConfig(format=TextFormat(), verbosity="medium"),
        tool_choice=request.tool_choice or "auto",
        tools=[shown_tool(tool) for tool in request.tools or ()],
        top_logprobs=request.top_logprobs or 0,
        top_p=1.0 if request.top_p is None else request.top_p,
        truncation=request.truncation or "disabled",
        user=request.user,
        metadata=request.metadata or {},
    )
    if request.prompt_cache_options is not None:
        response.prompt_cache_options = msgspec.structs.replace(request.prompt_cache_options, prewarm=UNSET)
    if request.access_programs is not None:
        response.access_programs = None
    if request.prompt is not None:
        prompt = request.prompt
        response.prompt = PromptReference(id=prompt.id, version=prompt.version, variables=prompt.variables)
    if any(isinstance(tool, WebSearchTool | ImageGenerationTool) for tool in response.tools):
        response.tool_usage = ToolUsage()
    if request.conversation is not None:
        conversation = request.conversation
        response.conversation = (
            ConversationReference(conversation) if isinstance(conversation, str) else conversation
        )
    return response


def _text(text: TextConfig) -> TextConfig:
    text_format = text.format or TextFormat()
    if isinstance(text_format, JsonSchemaFormat):
        text_format = msgspec.structs.replace(
            text_format,
            description=text_format.description or None,
            strict=text_format.strict is True,
        )
    return TextConfig(format=text_format, verbosity=text.verbosity or "medium")


def shown_tool(tool: Tool) -> Tool:
    """Return a tool as api.openai.com echoes it."""
    if isinstance(tool, NamespaceTool):
        return msgspec.structs.replace(
            tool,
            tools=[_function(inner) if isinstance(inner, FunctionTool) else inner for inner in tool.tools],
        )
    return _function(tool) if isinstance(tool, FunctionTool) else echoed(tool)


def _function(tool: FunctionTool) -> FunctionTool:
    """Return a function with every key, where an omitted `strict` means true."""
    return msgspec.structs.replace(
        tool,
        description=tool.description or None,
        parameters=None if tool.parameters is UNSET else tool.parameters,
        strict=True if tool.strict is UNSET or tool.strict is None else tool.strict,
    )


def usage_of(usage: ChatUsage | None) -> Usage | None:
    """Return the token counts of one model call; None if the backend sent none."""
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    details = usage.completion_tokens_details
    reasoning = details.reasoning_tokens if details else None
    return Usage(
        input_tokens=prompt,
        input_tokens_details=InputTokensDetails(cached_tokens=cached or 0),
        output_tokens=completion,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=reasoning or 0),
        total_tokens=usage.total_tokens or prompt + completion,
    )


def spent(usage: ChatUsage | None, request: ChatRequest, chunks: int, last: bytes = b"") -> int:
    """Return the tokens of one model call, estimated if the backend sent no counts.

    The estimate is a quarter of the request's bytes, plus one per chunk of a stream or a quarter of the bytes
    of a non-streaming response. A call without any output counts as 0.

    Args:
        usage: The backend's counts, if it sent them before the call ended or was stopped.
        request: The chat request.
        chunks: The number of chunks received.
        last: The last chunk.
    """
    counted = usage_of(usage)
    if counted is not None:
        return counted.total_tokens
    if not chunks:
        return 0
    answered = chunks if request.get("stream") else max(chunks, len(last) // 4)
    return len(msgspec.json.encode(request)) // 4 + answered


def total(one: Usage | None, other: Usage | None) -> Usage | None:
    """Return the sum of the known counts of two model calls."""
    if one is None or other is None:
        return one or other
    ours, theirs = one.input_tokens_details, other.input_tokens_details
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        input_tokens_details=InputTokensDetails(
            cached_tokens=ours.cached_tokens + theirs.cached_tokens,
            cache_write_tokens=ours.cache_write_tokens + theirs.cache_write_tokens,
        ),
        output_tokens=one.output_tokens + other.output_tokens,
        output_tokens_details=OutputTokensDetails(
            one.output_tokens_details.reasoning_tokens + other.output_tokens_details.reasoning_tokens
        ),
        total_tokens=one.total_tokens + other.total_tokens,
    )


def tool_usage_of(output: Sequence[Item]) -> ToolUsage:
    """Return the use of hosted tools: completed searches, without actions on pages."""
    searches = sum(
        isinstance(item, WebSearchCall)
        and item.status == "completed"
        and (item.action or {}).get("type", "search") == "search"
        for item in output
    )
    return ToolUsage(web_search=WebSearchUsage(searches))


class Outcome:
    """The outcome of one response.

    Args:
        response: The response in progress, which never changes; the terminal event carries the finished one.
        clock: Returns the time of completion.
        moderation: Returns the verdicts on the request; None if nothing judges it.
    """

    def __init__(
        self, response: Response, clock: Clock, moderation: Callable[[], Moderation] | None = None
    ) -> None:
        self.response = response
        """The response in progress."""
        self.output: list[Item] = []
        """The output items so far."""
        self.failure: AntiphonError | None = None
        """The error that the response failed with."""
        self.is_exhausted = False
        """Whether the response is incomplete, because no tokens or no rounds are left."""
        self.is_steered = False
        """Whether the response is incomplete, because another one continues it with steering input."""
        self.summary_usage: Usage | None = None
        """The usage of the latest compaction."""
        self._clock = clock
        self._moderation = moderation
        self._sequence = 0
        self._held: list[Event] = []
        self._usage: Usage | None = None
        self._service_tier: str | None = None
        self._reply: Assembler | None = None

    @property
    def usage(self) -> Usage | None:
        """The usage of the model calls so far, without that of compactions."""
        return total(self._usage, usage_of(self._reply.usage)) if self._reply else self._usage

    @property
    def output_tokens(self) -> int:
        """The reported output tokens of the model calls so far."""
        usage = self.usage
        return usage.output_tokens if usage else 0

    def begin(self, kept: list[Event]) -> list[Event]:
        """Return the first events, followed by those of the items that a fork has kept."""
        return self.number([ResponseCreated(self.response), ResponseInProgress(self.response), *kept])

    def number(self, events: list[Event]) -> list[Event]:
        """Give the events their sequence numbers, and return them."""
        number = self._sequence
        for event in events:
            event.sequence_number = number
            number += 1
        self._sequence = number
        return events

    def hold(self, events: list[Event]) -> None:
        """Hold events back until the next `release` or `end`.

        The end of the last reply and the end of the response then need only one write.
        """
        self._held += events

    def release(self) -> list[Event]:
        """Return the events that were held back, numbered."""
        held, self._held = self._held, []
        return self.number(held)

    def follow(self, reply: Assembler) -> None:
        """Use the usage, service tier and unfinished items of `reply` from now on."""
        if self._reply is not None:
            self._usage = self.usage
            self._service_tier = self._reply.service_tier or self._service_tier
        self._reply = reply

    def count_nothing(self) -> None:
        """Report a usage of zero tokens, for a response that calls no model."""
        self._usage = usage_of(ChatUsage())

    def end(self) -> list[Event]:
        """Return the last events, which end with the terminal event."""
        terminal = [self._ended()] if self.failure is None else self._failed(self.failure)
        return self.release() + self.number(terminal)

    def fail(self, error: AntiphonError, instead_of: Event | None = None) -> list[Event]:
        """Return the last events of a response after an error from outside the loop.

        Args:
            error: The reason.
            instead_of: A numbered event that will not be sent; its sequence number is reused.
        """
        self.failure = error
        if instead_of is not None:
            self._sequence = instead_of.sequence_number
        return self.number(self._failed(error))

    def cancel(self) -> Response:
        """Return the cancelled response, after its client has disconnected."""
        self._abandon()
        return self._terminal(status="cancelled")

    def _ended(self) -> Event:
        reply = self._reply
        if not (self.is_steered or self.is_exhausted or (reply is not None and reply.stopped_early)):
            completed_at = int(self._clock())
            return ResponseCompleted(self._terminal(status="completed", completed_at=completed_at))
        too_long = self.is_exhausted or (reply is not None and reply.finish_reason == "length")
        details = IncompleteDetails("max_output_tokens" if too_long else "content_filter")
        if self.is_steered:
            details = IncompleteDetails("steered")
        return ResponseIncomplete(self._terminal(status="incomplete", incomplete_details=details))

    def _failed(self, error: AntiphonError) -> list[Event]:
        """Return an `error` event and `response.failed`.

        Like at api.openai.com, a rate limit has only the latter.
        """
        self._abandon()
        reason = ResponseError(error.response_code, error.message, error.param, error.type)
        failed = ResponseFailed(self._terminal(status="failed", error=reason))
        if error.response_code == "rate_limit_exceeded":
            return [failed]
        return [ErrorEvent(error.body()), failed]

    def _abandon(self) -> None:
        if self._reply is not None:
            self._reply.abandon()

    def _terminal(self, status: ResponseStatus, **changes: object) -> Response:
        # Before a reply reports a tier, api.openai.com's `response.failed` has the requested one.
        unknown = "default" if status in ("completed", "incomplete") else self.response.service_tier
        if self._moderation is not None:
            changes["moderation"] = self._moderation()
        tier = (self._reply and self._reply.service_tier) or self._service_tier
        if self.response.tool_usage is not UNSET:
            changes["tool_usage"] = tool_usage_of(self.output)
        return msgspec.structs.replace(
            self.response,
            status=status,
            output=list(self.output),
            service_tier=tier if tier in _TIERS else unknown,
            usage=total(self.usage, self.summary_usage),
            **changes,
        )
