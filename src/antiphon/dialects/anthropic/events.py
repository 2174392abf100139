"""Events of responses as events of the Messages API, and whole messages. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from antiphon.dialects.anthropic.requests import Shown
from antiphon.dialects.anthropic.stops import StopCutter
from antiphon.wire.events import (
    ContentPartDone,
    Event,
    FunctionCallArgumentsDelta,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    ReasoningSummaryPartAdded,
    ReasoningSummaryTextDelta,
    ReasoningTextDelta,
    RefusalDelta,
    ResponseCompleted,
    ResponseCreated,
    ResponseIncomplete,
)
from antiphon.wire.items import FunctionCall, Reasoning
from antiphon.wire.json import JSON
from antiphon.wire.messages import (
    AssistantMessage,
    BlockDelta,
    ContentBlockDelta,
    ContentBlockStart,
    ContentBlockStop,
    InputJsonDelta,
    MessageDelta,
    MessageEnd,
    MessageEvent,
    MessageStart,
    MessageStop,
    MessageUsage,
    OutputBlock,
    Ping,
    RedactedThinkingBlock,
    SignatureDelta,
    StopReason,
    TextBlock,
    TextDelta,
    ThinkingBlock,
    ThinkingDelta,
    ThinkingTokens,
    ToolUseBlock,
)
from antiphon.wire.responses import Response, Usage

_INVALID = "INVALID_JSON"
"""Key of a tool's input that isn't a JSON object, which Anthropic's documentation recommends."""


class MessageEncoder:
    """Turns the events of a response into those of a message.

    The message begins with the first event of the response's output, so that an error before it can still
    have an HTTP status. Blocks follow one another, as items do.

    Args:
        shown: Whether the message has thinking blocks.
        stop_sequences: The texts that end the message.
    """

    def __init__(self, shown: Shown, stop_sequences: Sequence[str]) -> None:
        self._shown = shown
        self._cutter = StopCutter(stop_sequences)
        self._response: Response
        self._events: list[MessageEvent] = []
        self._index = -1
        self._open: type[OutputBlock] | None = None
        self._is_empty = True
        self._has_refused = False
        self.has_begun = False
        """Whether the message has begun."""

    def encode(self, events: Iterable[Event]) -> list[MessageEvent]:
        """Return the next events of the message."""
        self._events = []
        for event in events:
            if isinstance(event, ResponseCreated):
                self._response = event.response
            elif isinstance(event, ResponseCompleted | ResponseIncomplete):
                self._end(event.response)
            elif self._cutter.found is None:
                self._add(event)
        return self._events

    def _add(self, event: Event) -> None:
        match event:
            case OutputItemAdded():
                self._begin()
                if isinstance(item := event.item, FunctionCall):
                    self._start(ToolUseBlock(id=item.call_id, name=item.name, input={}))
            case OutputTextDelta():
                self._say(self._cutter.feed(event.delta))
            case RefusalDelta():
                self._has_refused = True
                self._say(event.delta)
            case ContentPartDone() if self._open is not ThinkingBlock:
                self._say(self._cutter.flush())
                self._stop()
            case ReasoningTextDelta() | ReasoningSummaryTextDelta():
                self._think(event.delta)
            case ReasoningSummaryPartAdded() if self._open is ThinkingBlock:
                self._think("\n\n")
            case FunctionCallArgumentsDelta() if event.delta:
                self._delta(InputJsonDelta(event.delta))
            case OutputItemDone():
                if isinstance(event.item, Reasoning):
                    self._sign(event.item)
                elif isinstance(event.item, FunctionCall) and self._is_empty:
                    self._delta(InputJsonDelta(event.item.arguments or "{}"))
                self._stop()

    def _begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            response = self._response
            message = AssistantMessage(
                id="msg_" + response.id.removeprefix("resp_"),
                model=response.model,
                content=[],
                usage=MessageUsage(),
            )
            self._events += (MessageStart(message), Ping())

    def _say(self, text: str) -> None:
        if text:
            if self._open is not TextBlock:
                self._start(TextBlock(text=""))
            self._delta(TextDelta(text))

    def _think(self, text: str) -> None:
        if self._shown == "summarized":
            if self._open is not ThinkingBlock:
                self._start(ThinkingBlock(thinking="", signature=""))
            self._delta(ThinkingDelta(text))

    def _sign(self, item: Reasoning) -> None:
        """End a thinking block with its signature; reasoning without a text is redacted or omitted."""
        sealed = item.encrypted_content
        if self._shown == "hidden" or not isinstance(sealed, str):
            return
        if self._open is not ThinkingBlock:
            if self._shown == "summarized":
                self._start(RedactedThinkingBlock(sealed))
                return
            self._start(ThinkingBlock(thinking="", signature=""))
        self._delta(SignatureDelta(sealed))

    def _start(self, block: OutputBlock) -> None:
        self._stop()
        self._index += 1
        self._open, self._is_empty = type(block), True
        self._events.append(ContentBlockStart(self._index, block))

    def _delta(self, delta: BlockDelta) -> None:
        self._is_empty = False
        self._events.append(ContentBlockDelta(self._index, delta))

    def _stop(self) -> None:
        if self._open is not None:
            self._open = None
            self._events.append(ContentBlockStop(self._index))

    def _end(self, response: Response) -> None:
        self._begin()
        self._stop()
        end = MessageEnd(stop_reason=self._reason(response), stop_sequence=self._cutter.found)
        self._events += (MessageDelta(end, _usage(response.usage)), MessageStop())

    def _reason(self, response: Response) -> StopReason:
        if self._cutter.found is not None:
            return "stop_sequence"
        if response.incomplete_details is not None:
            return "refusal" if response.incomplete_details.reason == "content_filter" else "max_tokens"
        if any(isinstance(item, FunctionCall) for item in response.output):
            return "tool_use"
        return "refusal" if self._has_refused else "end_turn"


class WholeMessage:
    """A message that is joined from its events."""

    def __init__(self) -> None:
        self.message: AssistantMessage
        """The message, once its first event was added."""
        self._pieces: list[str] = []

    def add(self, events: Iterable[MessageEvent]) -> None:
        """Add the next events."""
        for event in events:
            match event:
                case MessageStart():
                    self.message = event.message
                case ContentBlockStart():
                    self.message.content.append(event.content_block)
                    self._pieces = []
                case ContentBlockDelta():
                    self._extend(event.delta)
                case ContentBlockStop():
                    _fill(self.message.content[-1], "".join(self._pieces))
                case MessageDelta():
                    self.message.stop_reason = event.delta.stop_reason
                    self.message.stop_sequence = event.delta.stop_sequence
                    self.message.usage = event.usage

    def _extend(self, delta: BlockDelta) -> None:
        match delta:
            case TextDelta(piece) | ThinkingDelta(piece) | InputJsonDelta(piece):
                self._pieces.append(piece)
            case SignatureDelta(signature):
                block = self.message.content[-1]
                assert isinstance(block, ThinkingBlock)
                block.signature = signature


def _fill(block: OutputBlock, text: str) -> None:
    """Set the content of a block."""
    match block:
        case TextBlock():
            block.text = text
        case ThinkingBlock():
            block.thinking = text
        case ToolUseBlock():
            block.input = _object(text)


def _object(text: str) -> dict[str, JSON]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {_INVALID: text}
    return found if isinstance(found, dict) else {_INVALID: text}


def _usage(usage: Usage | None) -> MessageUsage:
    """Return the token counts, of which Anthropic's input doesn't contain the cached tokens."""
    if usage is None:
        return MessageUsage()
    read = usage.input_tokens_details.cached_tokens
    written = usage.input_tokens_details.cache_write_tokens
    return MessageUsage(
        input_tokens=max(0, usage.input_tokens - read - written),
        output_tokens=usage.output_tokens,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
        output_tokens_details=ThinkingTokens(usage.output_tokens_details.reasoning_tokens),
    )
