"""One response in the making: model call after model call until it is done, as one stream of events."""

from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import aclosing
from itertools import chain
from typing import get_args

import msgspec

from antiphon.engine.compactor import Compactor
from antiphon.engine.hosted.run import HostedWork
from antiphon.engine.ports import NO_TOOLS, HostedCall, HostedTool, HostedTools, ResolvedModel
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.reply.citations import sources_of
from antiphon.engine.reply.usage import spent, total, usage_of
from antiphon.engine.request.messages import translate_reply
from antiphon.engine.request.summary import kept_messages
from antiphon.engine.request.translate import Translated, continued, translate
from antiphon.engine.request.truncation import shortened
from antiphon.engine.request_context import RequestContext
from antiphon.engine.sealed import Boxes
from antiphon.errors import AntiphonError, ContextLengthExceeded, UpstreamError
from antiphon.wire.chat import ChatMessage, ChatRequest
from antiphon.wire.events import (
    ErrorEvent,
    Event,
    OutputItemAdded,
    OutputItemDone,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    ResponseInProgress,
)
from antiphon.wire.items import CustomToolCall, FunctionCall, Item
from antiphon.wire.responses import (
    CreateResponse,
    IncompleteDetails,
    Response,
    ResponseError,
    ResponseStatus,
    ServiceTier,
    Usage,
)

_TIERS = get_args(ServiceTier)
"""The tiers that the API knows; Groq, for one, sends others."""


class Loop:
    """Makes one response.

    `response` is the response in progress and never changes; the last event carries the finished one, whose
    items are whole (`hosted.shown` hides what the request does not include). `items` is what the model sees
    of the context (`Boxes.context`). The request is translated at once, so that a request that no backend
    can be given fails before the stream begins (`InvalidRequest`).
    """

    def __init__(
        self,
        request: CreateResponse,
        response: Response,
        items: list[Item],
        model: ResolvedModel,
        context: RequestContext,
        hosted: HostedTools = NO_TOOLS,
    ) -> None:
        self.response = response
        self.include = frozenset(request.include or ())
        self.failure: AntiphonError | None = None
        self.compactor: Compactor | None = None
        """Compacts the context where that is due. Set before the events are read."""
        self._request = request
        self._boxes = Boxes(context.seal, model.name)
        self._items = items
        self._model = model
        self._context = context
        self._hosted = hosted
        self._output: list[Item] = []
        self._sequence = 0
        self._last: list[Event] = []
        """The events that go out with the terminal one."""
        self._shorter: Iterator[list[Item]] | None = None
        self._rounds = 0
        self._said: list[ChatMessage] = []
        self._usage: Usage | None = None
        self._is_compacted = False
        self._is_exhausted = False
        self._is_answered = False
        self._work = HostedWork(self._output, self.include, response.max_tool_calls, context.observer)
        self._tools: dict[int, HostedTool] = {}
        self._setups: list[HostedCall] = []
        self._approved: list[HostedCall] = []
        if hosted.tools:
            self._tools = {tool.position: tool for tool in hosted.tools}
            self._setups = [setup for tool in hosted.tools if (setup := tool.setup(items)) is not None]
            self._approved = [approved for tool in hosted.tools for approved in tool.approved(items)]
        self._translated = self._translate(items, are_set_up=not self._setups)
        self._assembler = self._new_assembler()

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yields the events in batches, one for each network read, numbered; the last is terminal.

        Closing the generator, or cancelling its task, closes the connection to the backend and stops the
        tools.
        """
        yield self._begun()
        try:
            if self._tools or self.compactor is not None:
                async with aclosing(self._before_the_model()) as batches:
                    async for events in batches:
                        yield self._numbered(events)
            while not self._is_answered:
                assembler, request = self._assembler, self._chat_request()
                chunks: list[bytes] = []
                count, has_begun = 0, False
                self._context.observer.model_called(self._model.id)
                reads = self._model.chat_model.stream(request)
                try:
                    async for chunks in reads:
                        count += len(chunks)
                        if events := assembler.feed(chunks):
                            has_begun = True
                            yield self._numbered(events)
                        if assembler.failure is not None:
                            raise assembler.failure
                except ContextLengthExceeded:
                    if has_begun or not self._shorten():
                        raise
                    continue
                finally:
                    await reads.aclose()
                    if self._context.spend is not None:
                        self._context.spend(spent(assembler.usage, request, count, *chunks[-1:]))
                self._last = assembler.finish()
                if assembler.failure is not None:
                    raise assembler.failure
                self._is_answered = assembler.stopped_early or not assembler.hosted_calls
                if not self._is_answered:
                    async with aclosing(self._hosted_calls()) as batches:
                        async for events in batches:
                            yield self._numbered(events)
            if self._has_grown_too_long():
                if self._last:
                    yield self._numbered(self._last)
                    self._last = []
                self._last = await self._compact_at_the_end()
        except AntiphonError as error:
            self.failure = error
        yield self._numbered(self._last + self._end())

    def fail(self, error: AntiphonError, instead_of: Event | None = None) -> list[Event]:
        """Ends the response after an error from outside the loop; the events are numbered.

        `instead_of` is an event that was made but will not be sent, and whose place is taken.
        """
        self.failure = error
        if instead_of is not None:
            self._sequence = instead_of.sequence_number
        return self._numbered(self._failed(error))

    def items(self) -> list[Item]:
        """Returns the context and the output so far, whole: what a follow-up of the response sees."""
        return self._boxes.context(self._items + self._output)

    def cancelled(self) -> Response:
        """Returns the response as it stands when nobody waits for it any more."""
        self._abandon()
        return self._terminal(status="cancelled")

    def close(self) -> Awaitable[None]:
        """Closes the hosted tools."""
        return self._hosted.close()

    async def _before_the_model(self) -> AsyncGenerator[list[Event], None]:
        """Sets the hosted tools up, makes the calls that the caller has approved, and compacts."""
        if self.compactor is not None and self.compactor.is_all:
            self._last = await self._compact(self._items)
            self._is_answered = True
            return
        if self._setups:
            async with aclosing(self._work.set_up(self._setups)) as batches:
                async for events in batches:
                    yield events
            self._translated = self._translate(self._items)
        if self._approved:
            begin = len(self._output)
            async with aclosing(self._work.run(self._approved)) as batches:
                async for events in batches:
                    yield events
            self._remember(self._output[begin:])
        self._assembler = self._new_assembler()
        if self.compactor is not None and self.compactor.is_due(self._chat_request()):
            events = await self._compact_before_the_answer()
            if events:
                yield events

    async def _hosted_calls(self) -> AsyncGenerator[list[Event], None]:
        """Makes the calls of the reply that has just ended, and turns to the next model call."""
        if self._last:
            yield self._last
            self._last = []
        functions = self._translated.functions.hosted
        calls = []
        for name, arguments in self._assembler.hosted_calls:
            function = functions[name]
            calls.append(self._tools[function.position].call(function.name, arguments))
        async with aclosing(self._work.run(calls)) as batches:
            async for events in batches:
                yield events
        self._is_answered = self._ends_turn()
        if not self._is_answered:
            self._go_on()

    async def _compact(self, items: list[Item]) -> list[Event]:
        """Makes an item that stands for `items`, in this response and in those that follow."""
        assert self.compactor is not None
        item = await self.compactor.compact(items)
        index = len(self._output)
        self._output.append(item)
        self._is_compacted = True
        return [OutputItemAdded(index, item), OutputItemDone(index, item)]

    async def _compact_before_the_answer(self) -> list[Event]:
        """Compacts the context, and the calls that the caller has approved; the answer is to what remains.

        What does not even fit to be summed up is truncated, where the request allows it.
        """
        items = [*self._items, *self._output]
        try:
            events = await self._compact(items)
        except ContextLengthExceeded as error:
            if self.response.truncation != "auto":
                raise
            self._context.observer.compaction_failed(error)
            return []
        self._items = [*kept_messages(items), self._output[-1]]
        self._said = []
        self._shorter = None
        self._translated = self._translate(self._items)
        self._assembler = self._new_assembler()
        return events

    def _has_grown_too_long(self) -> bool:
        """Whether the reply has made the context too long, and ends with nothing that is to be answered."""
        if self.compactor is None or self._is_compacted or self._is_exhausted:
            return False
        said = self._assembler.said
        if self._assembler.stopped_early or self._work.waits or _asks_caller(said):
            return False
        self._remember(said)
        return self.compactor.is_due(self._chat_request(), self._assembler.usage)

    async def _compact_at_the_end(self) -> list[Event]:
        """Compacts what the next response would see; without that it does so itself, before its answer."""
        try:
            return await self._compact([*self._items, *self._output])
        except (UpstreamError, ContextLengthExceeded) as error:
            self._context.observer.compaction_failed(error)
            return []

    def _ends_turn(self) -> bool:
        """Whether the response ends, though tools have been called in the last reply."""
        if self._work.waits or _asks_caller(self._assembler.said):
            return True  # It is the caller's turn.
        usage, limit = self._total_usage(), self.response.max_output_tokens
        is_spent = limit is not None and usage is not None and usage.output_tokens >= limit
        self._is_exhausted = is_spent or self._rounds + 1 >= self._hosted.max_rounds
        return self._is_exhausted

    def _go_on(self) -> None:
        """Begins another model call, which is told what the last reply and its tools have brought."""
        self._remember(self._assembler.said)
        self._rounds += 1
        self._usage = self._total_usage()
        service_tier = self._assembler.service_tier
        self._assembler = self._new_assembler()
        self._assembler.service_tier = service_tier

    def _remember(self, items: list[Item]) -> None:
        capabilities = self._model.chat_model.capabilities
        renamed = self._translated.functions.renamed
        limit = self.response.max_tool_calls
        self._said += translate_reply(items, capabilities, renamed, limit, self._boxes)

    def _chat_request(self) -> ChatRequest:
        if not self._rounds and not self._said:
            return self._translated.chat_request
        spent = self._usage.output_tokens if self._usage else 0
        return continued(self._translated, self._said, spent=spent, is_first=not self._rounds)

    def _shorten(self) -> bool:
        """Leaves more of the context out; returns whether that was allowed, and there was more."""
        if self.response.truncation != "auto":
            return False
        self._shorter = self._shorter or shortened(self._items)
        items = next(self._shorter, None)
        if items is None:
            return False
        self._translated = self._translate(items)
        self._assembler = self._new_assembler()
        return True

    def _translate(self, items: list[Item], *, are_set_up: bool = True) -> Translated:
        """Translates the context. Before the set-ups only what does not depend on them is looked at."""
        request = self._request if are_set_up else msgspec.structs.replace(self._request, tool_choice=None)
        offered = {place: tool.functions() if are_set_up else [] for place, tool in self._tools.items()}
        capabilities = self._model.chat_model.capabilities
        return translate(request, items, self._model.name, capabilities, offered, self._boxes)

    def _new_assembler(self) -> Assembler:
        functions = self._translated.functions
        options = AssemblyOptions(
            source=self._model.id,
            tools=functions.known,
            input_of=self._translated.input_of,
            think_tags=self._model.chat_model.capabilities.think_tags,
            logprobs="message.output_text.logprobs" in self.include,
            encrypted_reasoning="reasoning.encrypted_content" in self.include,
            boxes=self._boxes,
            sources=sources_of(chain(self._items, self._output)),
        )
        return Assembler(self._output, self._context.ids, options)

    def _begun(self) -> list[Event]:
        return self._numbered([ResponseCreated(self.response), ResponseInProgress(self.response)])

    def _end(self) -> list[Event]:
        return [self._ended()] if self.failure is None else self._failed(self.failure)

    def _ended(self) -> Event:
        if not (self._assembler.stopped_early or self._is_exhausted):
            completed_at = int(self._context.clock())
            return ResponseCompleted(self._terminal(status="completed", completed_at=completed_at))
        too_long = self._is_exhausted or self._assembler.finish_reason == "length"
        details = IncompleteDetails("max_output_tokens" if too_long else "content_filter")
        return ResponseIncomplete(self._terminal(status="incomplete", incomplete_details=details))

    def _abandon(self) -> None:
        self._assembler.abandon()
        self._work.abandon()

    def _total_usage(self) -> Usage | None:
        return total(self._usage, usage_of(self._assembler.usage))

    def _failed(self, error: AntiphonError) -> list[Event]:
        """An `error` event, then `response.failed`; a rate limit has only the latter (`wire.md` 4)."""
        self._abandon()
        failed = ResponseFailed(
            self._terminal(status="failed", error=ResponseError(error.response_code, error.message))
        )
        if error.response_code == "rate_limit_exceeded":
            return [failed]
        return [ErrorEvent(error.body()), failed]

    def _terminal(self, status: ResponseStatus, **changes: object) -> Response:
        # Until a model has answered, the tier is what was asked for (recorded in response.failed).
        unknown = "default" if status in ("completed", "incomplete") else self.response.service_tier
        tier = self._assembler.service_tier
        usage = self._total_usage()
        if self.compactor is not None:
            usage = total(usage, self.compactor.usage)
        return msgspec.structs.replace(
            self.response,
            status=status,
            output=list(self._output),
            service_tier=tier if tier in _TIERS else unknown,
            usage=usage,
            **changes,
        )

    def _numbered(self, events: list[Event]) -> list[Event]:
        number = self._sequence
        for event in events:
            event.sequence_number = number
            number += 1
        self._sequence = number
        return events


def _asks_caller(items: list[Item]) -> bool:
    """Whether there is a call among the items that the caller has to answer."""
    return any(isinstance(item, FunctionCall | CustomToolCall) for item in items)
