"""From chat completion chunks to output items and events. Pure: feed chunks, get events."""

from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec

from antiphon.engine.reply.citations import Sources
from antiphon.engine.reply.errors import error_inside
from antiphon.engine.reply.message import MessageBuilder, complete, last_tokens
from antiphon.engine.reply.reasoning import ItemBuilder, ReasoningBuilder
from antiphon.engine.reply.think_tags import Piece, ThinkSplitter
from antiphon.engine.reply.tool_calls import CallBuilder, CallTable, KnownTools
from antiphon.engine.request_context import Ids
from antiphon.engine.sealed import Boxes
from antiphon.errors import AntiphonError, UpstreamBroken
from antiphon.ids import CALL
from antiphon.wire.chat import ChatUsage, Choice, Chunk, ContentPiece, Delta, ReasoningDetail, ToolCallDelta
from antiphon.wire.content import Logprob
from antiphon.wire.events import NO_LOGPROBS, Event
from antiphon.wire.items import Item, ItemStatus
from antiphon.wire.json import JSON

_decode = msgspec.json.Decoder(Chunk).decode

_BROKEN_OFF = frozenset({"error", "abort", "insufficient_system_resource", "network_error"})
"""Finish reasons that tell of a fault of the backend: OpenRouter and vLLM, vLLM, DeepSeek, Zhipu."""


class AssemblyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the chunks of one model call are to be read."""

    source: str
    """Who speaks, for error messages."""
    tools: KnownTools = KnownTools()
    input_of: str | None = None
    """A custom tool that had to be called: the text of the reply is its input."""
    think_tags: bool = False
    logprobs: bool = False
    """Show log probabilities (include: message.output_text.logprobs)."""
    encrypted_reasoning: bool = False
    """Show the boxes of reasoning (include: reasoning.encrypted_content)."""
    boxes: Boxes = Boxes()
    sources: Sources | None = None
    """What the text can cite; citations become annotations."""


class Assembler:
    """Assembles the reply of one model call.

    Items stream strictly one after another, and parallel tool calls may arrive interleaved: the first
    open item streams at once, the deltas of others wait until it is whole. Text or reasoning is whole as
    soon as something else begins; a tool call is whole when its arguments are a complete JSON object.

    `output` is the response's list of finished items; the assembler appends to it. Calls of hosted functions
    become no items here: once they are whole, `hosted_calls` has their names and arguments. `failure` is set
    when the reply is broken; nothing more is read then.
    """

    def __init__(self, output: list[Item], ids: Ids, options: AssemblyOptions) -> None:
        self.output = output
        self.hosted_calls: list[tuple[str, str]] = []
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
        self._calls = CallTable()
        self._first = len(output)

    def feed(self, chunks: list[bytes]) -> list[Event]:
        """Takes the JSON texts of chunks, in order, and returns every event they give."""
        events: list[Event] = []
        for payload in chunks:
            if self.failure is not None:
                break
            try:
                chunk = _decode(payload)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self.failure = self._broken(f"sent a broken chunk ({error}): {_excerpt(payload)}")
                break
            if self._open_text is None or (text := chunk.plain_text()) is None:
                self._chunk(events, chunk)
                self._open_text = self._find_open_text()
            else:
                self._open_text.add(events, text)
                self.service_tier = chunk.service_tier or self.service_tier
        return events

    def finish(self) -> list[Event]:
        """Ends the reply: closes what is open, or sets `failure` if the reply is not whole."""
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
        while self._head is not None:
            cut = self.stopped_early and not (self._waiting and self._head.is_whole())
            if not self._close(self._head, events, "incomplete" if cut else "completed"):
                break
            self._open_next(events)
        return events

    def abandon(self) -> None:
        """Keeps what an interrupted reply has brought, as incomplete items, without events."""
        unsent: list[Event] = []
        self._flush(unsent)
        while self._head is not None:
            if not (isinstance(self._head, CallBuilder) and self._head.is_hosted):
                self.output.append(self._head.snapshot())
            self._open_next(unsent)

    @property
    def said(self) -> list[Item]:
        """The finished items of this reply."""
        return self.output[self._first :]

    @property
    def stopped_early(self) -> bool:
        """Whether the model was cut off, by the token limit or by a content filter."""
        return self.finish_reason in ("length", "content_filter")

    def _chunk(self, events: list[Event], chunk: Chunk) -> None:
        fault = chunk.error or (chunk.choices is None and chunk.message and _as_error(chunk))
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
        """Returns the message to which plain text can be added without a further look."""
        options, builder = self._options, self._last
        looks = options.logprobs or options.input_of is not None
        if looks or not (self._think is None or self._think.plain):
            return None
        return builder if isinstance(builder, MessageBuilder) and builder.takes_plain_text() else None

    def _choice(self, events: list[Event], choice: Choice) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            if choice.delta is None and delta.tool_calls:
                _number(delta.tool_calls)
            logprobs = NO_LOGPROBS
            if self._options.logprobs and choice.logprobs is not None:
                logprobs = complete(choice.logprobs.content or NO_LOGPROBS)
            self._delta(events, delta, logprobs)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason

    def _delta(self, events: list[Event], delta: Delta, logprobs: list[Logprob]) -> None:
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
                self._pieces(events, _pieces_of(content))
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
        """Sends the text that is held back because it may belong to a tag."""
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
        self, events: list[Event], kind: Literal["text", "refusal"], delta: str, logprobs: list[Logprob]
    ) -> None:
        if kind == "text" and self._options.input_of is not None:
            self._input(events, self._options.input_of, delta)
            return
        builder = self._last
        if not isinstance(builder, MessageBuilder):
            builder = MessageBuilder(self._ids, self._options.sources)
            self._switch(events, builder)
        builder.write(events, kind, delta, logprobs)

    def _reasoning(self, events: list[Event], summary_key: int | None, delta: str) -> None:
        self._reasoning_builder(events).write(events, summary_key, delta)

    def _reasoning_builder(self, events: list[Event]) -> ReasoningBuilder:
        """Returns the builder of the reasoning item that is being written, a new one if need be."""
        builder = self._last
        if not isinstance(builder, ReasoningBuilder):
            options = self._options
            builder = self._reasoned = ReasoningBuilder(self._ids, options.boxes, options.encrypted_reasoning)
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
        # OpenRouter sends some of it after the answer. Where boxes are not shown, that belongs to the
        # reasoning before the answer, or is lost if there was none: it is not worth an empty item.
        if self._reasoned is not None:
            self._reasoned.keep(detail)

    def _tool_call(self, events: list[Event], delta: ToolCallDelta) -> None:
        function, custom = delta.function, delta.custom
        name = function.name if function else custom.name if custom else None
        arguments = function.arguments if function else custom.input if custom else None
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        arguments = arguments or ""
        builder = self._calls.find(delta, name, arguments)
        call_id = self._calls.free_id(delta.id)
        if builder is None:
            if not (delta.id or name or arguments):
                return
            builder = CallBuilder(self._ids, self._options.tools)
            builder.is_raw = custom is not None
            builder.write(events, call_id or (self._ids("call", CALL) if delta.id else None), name, arguments)
            self._calls.add(builder, delta.index)
            self._switch(events, builder)
        elif builder.closed and arguments.strip():
            self.failure = self._broken("sent more arguments for a tool call whose arguments were complete")
        else:
            builder.write(events, call_id, name, arguments)
            self._close_whole(events)

    def _input(self, events: list[Event], name: str, text: str) -> None:
        """Adds to the input of the one custom tool that had to be called."""
        builder = self._last
        if not isinstance(builder, CallBuilder):
            builder = CallBuilder(self._ids, self._options.tools)
            builder.is_raw = True
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
        """Closes items that others wait for, as long as nothing can be added to them."""
        while self._waiting and self._head is not None and self._head.is_whole():
            if not self._close(self._head, events, "completed"):
                break
            self._open_next(events)

    def _close(self, head: ItemBuilder, events: list[Event], status: ItemStatus) -> bool:
        """Ends the item; does not, and sets `failure`, if it cannot have this end."""
        if isinstance(head, CallBuilder):
            if head.is_hosted:
                head.closed = True
                self.hosted_calls.append((head.name, head.arguments))
                return True
            head.end_input(events, status)
            self._find_fault()
            if self.failure is not None:
                return False
        self.output.append(head.close(events, status))
        return True

    def _find_fault(self) -> None:
        """Fails the reply where the input of a custom tool breaks its grammar."""
        if self.failure is None and isinstance(self._head, CallBuilder) and self._head.fault is not None:
            self.failure = self._broken(self._head.fault)

    def _open_next(self, events: list[Event]) -> None:
        self._head = self._waiting.popleft() if self._waiting else None
        if self._head is not None:
            self._head.open(events, len(self.output))

    def _broken(self, what: str) -> UpstreamBroken:
        return UpstreamBroken(f"{self._options.source}: {what}")


def _as_error(chunk: Chunk) -> JSON:
    """A chunk that is itself an error object, as older servers send it."""
    return {"message": chunk.message, "code": chunk.code}


def _number(calls: Iterable[ToolCallDelta]) -> None:
    """Numbers the calls of a whole message: each is one of its own, whatever its id."""
    for position, call in enumerate(calls):
        call.index = position


def _pieces_of(content: list[ContentPiece]) -> list[Piece]:
    pieces: list[Piece] = []
    for piece in content:
        thinking = piece.thinking
        if isinstance(thinking, list):
            thinking = "".join(inner.text or "" for inner in thinking)
        if thinking:
            pieces.append(("reasoning", thinking))
        if piece.text:
            pieces.append(("text", piece.text))
    return pieces


def _excerpt(payload: bytes) -> str:
    text = payload[:120].decode("utf-8", "replace")
    return text + "..." if len(payload) > 120 else text
