"""Assembly of output items and events from chat completion chunks."""

from collections import deque
from collections.abc import Sequence
from typing import Literal

import msgspec

from antiphon.engine.reply.citations import Sources
from antiphon.engine.reply.errors import as_error, error_inside, excerpt
from antiphon.engine.reply.message import MessageBuilder, complete, last_tokens
from antiphon.engine.reply.reasoning import ItemBuilder, ReasoningBuilder
from antiphon.engine.reply.think_tags import Piece, ThinkSplitter, pieces_of
from antiphon.engine.reply.tool_calls import (
    CallBuilder,
    CallTable,
    HostedFunctionCall,
    KnownTools,
    number_calls,
)
from antiphon.engine.request_context import Ids
from antiphon.engine.sealed import Sealed
from antiphon.errors import AntiphonError, UpstreamBroken
from antiphon.ids import CALL
from antiphon.wire.chat import ChatUsage, Choice, Chunk, Delta, ReasoningDetail, ToolCallDelta
from antiphon.wire.content import Logprob
from antiphon.wire.events import NO_LOGPROBS, Event
from antiphon.wire.items import Item, ItemStatus, Phase

_decode = msgspec.json.Decoder(Chunk).decode

_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource", "network_error"})
"""Finish reasons after failures: of OpenRouter and vLLM, vLLM, DeepSeek, Zhipu."""


class AssemblyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options for the chunks of one model call."""

    source: str
    """The name of the model or backend, for error messages."""
    tools: KnownTools = KnownTools()
    """The tools that the model may call."""
    input_of: str | None = None
    """The custom tool that the model must call; the text of the reply is its input."""
    think_tags: bool = False
    """Whether `<think>` tags at the start of the text contain reasoning."""
    logprobs: bool = False
    """Whether to show log probabilities (include: message.output_text.logprobs)."""
    encrypted_reasoning: bool = False
    """Whether to show encrypted reasoning (include: reasoning.encrypted_content)."""
    sealed: Sealed = Sealed()
    """The encryption of reasoning."""
    phases: bool = False
    """Whether messages have a phase: commentary if anything follows in the reply, else the final answer."""
    sources: Sources | None = None
    """The sources that the text can cite; citations become annotations."""


class Assembler:
    """The assembly of one model call's reply.

    Items stream strictly one after another, but parallel tool calls may arrive interleaved. The first open
    item streams at once, and the deltas of the others wait until it is complete. Text or reasoning is
    complete once anything else begins; a tool call is complete once its arguments are a complete JSON object.

    The assembler appends finished items to `output`, the response's list. Calls of hosted functions don't
    become items here: once complete, they are in `hosted_calls`. The item of such a call may stream with its
    arguments. Everything after it then waits for its result (`is_paused`). A broken reply sets `failure`, and
    later chunks are ignored.
    """

    def __init__(self, output: list[Item], ids: Ids, options: AssemblyOptions) -> None:
        self.output = output
        self.hosted_calls: list[HostedFunctionCall] = []
        self.failure: AntiphonError | None = None
        self.finish_reason: str | None = None
        self.usage: ChatUsage | None = None
        self.service_tier: str | None = None
        self._ids = ids
        self._options = options
        self._think = ThinkSplitter() if options.think_tags else None
        self._early_logprobs: list[Logprob] = []
        self._head: ItemBuilder | None = None
        self._waiting: deque[ItemBuilder] = deque()
        self._last: ItemBuilder | None = None
        self._open_text: MessageBuilder | None = None
        self._reasoned: ReasoningBuilder | None = None
        self._phase: Phase | None = None
        """The phase that the backend named last."""
        self._calls: CallTable | None = None
        """The tool calls of the reply, once there is one."""
        self._first = len(output)

    def feed(self, chunks: list[bytes]) -> list[Event]:
        """Process the JSON texts of chunks in order, and return the resulting events."""
        events: list[Event] = []
        for payload in chunks:
            if self.failure is not None:
                break
            try:
                chunk = _decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self.failure = self._broken(f"sent a broken chunk ({error}): {excerpt(payload)}")
                break
            if self._open_text is None or (text := _plain_text(chunk)) is None:
                self._chunk(events, chunk)
                self._open_text = self._find_open_text()
            else:
                self._open_text.add(events, text)
                self.service_tier = chunk.service_tier or self.service_tier
        return events

    def finish(self) -> list[Event]:
        """End the reply: close its open items, or set `failure` if it is incomplete."""
        events: list[Event] = []
        if self.failure is not None:
            return events
        if self.finish_reason is None:
            self.failure = self._broken("the reply ended without a finish_reason")
            return events
        if self.finish_reason in _BROKEN_OFF:
            self.failure = self._broken(f"the reply ended with the finish_reason {self.finish_reason}")
            return events
        self._flush(events)
        if self._options.input_of is not None and not self._calls:
            self._input(events, self._options.input_of, "")
        if self.finish_reason in ("tool_calls", "function_call") and not self._calls:
            self.failure = self._broken(f"finish_reason is {self.finish_reason}, but there are no tool calls")
            return events
        if self._calls and self._calls.has_nameless():
            self.failure = self._broken("sent a tool call without the name of a function")
            return events
        if self._head is None and not (self.stopped_early or self.said or self._calls):
            self._switch(events, MessageBuilder(self._ids, self._options.sources))
        self._close_rest(events)
        return events

    def resume(self) -> list[Event]:
        """Go on with a paused reply, once its hosted calls have run."""
        events: list[Event] = []
        self.hosted_calls = []
        self._open_next(events)
        self._close_rest(events)
        return events

    @property
    def is_paused(self) -> bool:
        """Whether the ended reply has more items after a hosted call."""
        return self._head is None and bool(self._waiting)

    def _close_rest(self, events: list[Event]) -> None:
        while (head := self._head) is not None:
            cut = self.stopped_early and not (self._waiting and head.is_whole())
            if not self._close(head, events, "incomplete" if cut else "completed"):
                break
            if isinstance(head, CallBuilder) and head.streamed is not None:
                self._head = None
                break
            self._open_next(events)

    def abandon(self) -> None:
        """Keep the content of an interrupted reply as incomplete items, without events."""
        unsent: list[Event] = []
        self._flush(unsent)
        while self._head is not None:
            if not (isinstance(self._head, CallBuilder) and self._head.is_hosted):
                self.output.append(self._head.snapshot())
            elif self._head.streamed is not None:
                self.output.append(self._head.streamed.abandon())
            self._open_next(unsent)

    @property
    def said(self) -> list[Item]:
        """The finished items of this reply."""
        return self.output[self._first :]

    @property
    def stopped_early(self) -> bool:
        """Whether the token limit or a content filter stopped the model."""
        return self.finish_reason in ("length", "content_filter")

    def _chunk(self, events: list[Event], chunk: Chunk) -> None:
        fault = chunk.error or (chunk.choices is None and chunk.message and as_error(chunk))
        if fault:
            self.failure = error_inside(self._options.source, fault)
            return
        if chunk.usage is not None:
            self.usage = chunk.usage
        self.service_tier = chunk.service_tier or self.service_tier
        for choice in chunk.choices or ():
            if not choice.index:
                self._choice(events, choice)
        self._find_fault()

    def _find_open_text(self) -> MessageBuilder | None:
        """Return the message that accepts plain text without further checks, or None."""
        options, builder = self._options, self._last
        looks = options.logprobs or options.input_of is not None
        if looks or not (self._think is None or self._think.plain):
            return None
        return builder if isinstance(builder, MessageBuilder) and builder.takes_plain_text() else None

    def _choice(self, events: list[Event], choice: Choice) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            if choice.delta is None and delta.tool_calls:
                number_calls(delta.tool_calls)
            logprobs = NO_LOGPROBS
            if self._options.logprobs and choice.logprobs is not None:
                logprobs = complete(choice.logprobs.content or NO_LOGPROBS)
            self._delta(events, delta, logprobs)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason

    def _delta(self, events: list[Event], delta: Delta, logprobs: Sequence[Logprob]) -> None:
        if delta.phase == "commentary" or delta.phase == "final_answer":
            self._phase = delta.phase
        details = delta.reasoning_details or ()
        for detail in details:
            self._reasoning_detail(events, detail)
        if not details or not any(detail.text or detail.summary for detail in details):
            reasoning = delta.reasoning_content or delta.reasoning
            if reasoning:
                self._reasoning(events, None, reasoning)
        content = delta.content
        if content:
            if not isinstance(content, str):
                self._pieces(events, pieces_of(content))
            elif self._think is None or self._think.passes(content):
                self._text(events, "text", content, logprobs)
            else:
                self._early_logprobs += logprobs
                self._pieces(events, self._think.feed(content))
        if delta.refusal:
            self._flush(events)
            self._text(events, "refusal", delta.refusal, NO_LOGPROBS)
        if delta.tool_calls:
            self._flush(events)
            for call in delta.tool_calls:
                self._tool_call(events, call)

    def _flush(self, events: list[Event]) -> None:
        """Send the text that was held back because it might belong to a tag."""
        if self._think is not None and not self._think.plain:
            self._pieces(events, self._think.flush())

    def _pieces(self, events: list[Event], pieces: list[Piece]) -> None:
        for kind, text in pieces:
            if kind == "reasoning":
                self._reasoning(events, None, text)
            else:
                self._text(events, "text", text, last_tokens(self._early_logprobs, text))
        if pieces:
            self._early_logprobs = []

    def _text(
        self, events: list[Event], kind: Literal["text", "refusal"], delta: str, logprobs: Sequence[Logprob]
    ) -> None:
        if kind == "text" and self._options.input_of is not None:
            self._input(events, self._options.input_of, delta)
            return
        builder = self._last
        if not isinstance(builder, MessageBuilder):
            builder = MessageBuilder(self._ids, self._options.sources)
            builder.phase = self._phase
            self._switch(events, builder)
        builder.write(events, kind, delta, logprobs)

    def _reasoning(self, events: list[Event], summary_key: int | None, delta: str) -> None:
        self._reasoning_builder(events).write(events, summary_key, delta)

    def _reasoning_builder(self, events: list[Event]) -> ReasoningBuilder:
        """Return the builder of the open reasoning item, or of a new one."""
        builder = self._last
        if not isinstance(builder, ReasoningBuilder):
            options = self._options
            builder = self._reasoned = ReasoningBuilder(
                self._ids, options.sealed, options.encrypted_reasoning
            )
            self._switch(events, builder)
        return builder

    def _reasoning_detail(self, events: list[Event], detail: ReasoningDetail) -> None:
        if detail.summary:
            self._reasoning(events, detail.index or 0, detail.summary)
        elif detail.text:
            self._reasoning(events, None, detail.text)
        elif not (detail.data or detail.signature):
            return
        elif self._last is None or self._options.encrypted_reasoning:
            self._reasoning_builder(events)
        # OpenRouter sends some of it after the message. If the client doesn't get encrypted reasoning, that
        # belongs to the reasoning before the message; without any, it isn't worth an empty item.
        if self._reasoned is not None:
            self._reasoned.keep(detail)

    def _tool_call(self, events: list[Event], delta: ToolCallDelta) -> None:
        function, custom = delta.function, delta.custom
        name = function.name if function else custom.name if custom else None
        arguments = function.arguments if function else custom.input if custom else None
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        arguments = arguments or ""
        calls = self._calls = self._calls or CallTable()
        builder = calls.find(delta, name, arguments)
        call_id = calls.free_id(delta.id)
        if builder is None:
            if not (delta.id or name or arguments):
                return
            builder = CallBuilder(self._ids, self._options.tools)
            builder.is_raw = custom is not None
            builder.write(events, call_id or (self._ids("call", CALL) if delta.id else None), name, arguments)
            calls.add(builder, delta.index)
            self._switch(events, builder)
        elif builder.closed and arguments.strip():
            self.failure = self._broken("sent more arguments for a tool call whose arguments were complete")
        else:
            builder.write(events, call_id, name, arguments)
            self._close_whole(events)

    def _input(self, events: list[Event], name: str, text: str) -> None:
        """Append to the input of the one custom tool that the model must call."""
        builder = self._last
        if not isinstance(builder, CallBuilder):
            builder = CallBuilder(self._ids, self._options.tools)
            builder.is_raw = True
            self._calls = self._calls or CallTable()
            self._calls.add(builder, None)
            self._switch(events, builder)
        builder.write(events, None, name, text)

    def _switch(self, events: list[Event], builder: ItemBuilder) -> None:
        self._last = builder
        self._waiting.append(builder)
        if self._head is None:
            self._open_next(events)
        else:
            self._close_whole(events)

    def _close_whole(self, events: list[Event]) -> None:
        """Close the complete items that keep other items waiting."""
        while self._waiting and self._head is not None and self._head.is_whole():
            if not self._close(self._head, events, "completed"):
                break
            self._open_next(events)

    def _close(self, head: ItemBuilder, events: list[Event], status: ItemStatus) -> bool:
        """Close the item; return False and set `failure` if its input is invalid."""
        if isinstance(head, CallBuilder):
            if head.is_hosted:
                self.hosted_calls.append(head.end_hosted(events, status))
                self.hosted_calls.sort(key=lambda call: call.streamed is None)  # Its item is open.
                return True
            head.end_input(events, status)
            self._find_fault()
            if self.failure is not None:
                return False
        elif isinstance(head, MessageBuilder) and self._options.phases and not head.phase:
            head.phase = "commentary" if self._waiting else "final_answer"
        self.output.append(head.close(events, status))
        return True

    def _find_fault(self) -> None:
        """Fail the reply if the input of a custom tool doesn't match its grammar."""
        if self.failure is None and isinstance(self._head, CallBuilder) and self._head.fault is not None:
            self.failure = self._broken(self._head.fault)

    def _open_next(self, events: list[Event]) -> None:
        self._head = self._waiting.popleft() if self._waiting else None
        if self._head is not None:
            self._head.open(events, len(self.output))

    def _broken(self, what: str) -> UpstreamBroken:
        return UpstreamBroken(f"{self._options.source}: {what}")


def _plain_text(chunk: Chunk) -> str | None:
    """Return the text of a chunk that contains only text; None for any other chunk.

    A service tier may be present as well.
    """
    # Hot path: nearly every chunk contains only text.
    choices = chunk.choices
    if choices is None or len(choices) != 1 or chunk.usage is not None or chunk.error is not None:
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
