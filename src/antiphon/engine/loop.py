"""The loop of one response: model calls until its end, as one stream of events."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Self

from antiphon.engine.client.pairs import asks_client
from antiphon.engine.compactor import Compactor, SummaryTooLong
from antiphon.engine.hosted.run import HostedWork, shown
from antiphon.engine.ports import NO_TOOLS, HostedCall, HostedTools, ResolvedModel
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.reply.assemble import Assembler
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import Outcome, spent
from antiphon.engine.steps import ModelNote
from antiphon.errors import AntiphonError, ContextLengthExceeded, UpstreamError
from antiphon.wire.chat import ChatRequest
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import CustomToolCall, FunctionCall, Item
from antiphon.wire.responses import CreateResponse, Response, ResponseCreateEvent


class Loop:
    """The events of one response.

    The last event carries the finished response with complete items: `for_client` removes the fields
    that the request does not include. Call `prepare` first, so that a request that no backend accepts
    fails before the stream begins.

    Args:
        request: The request for the response.
        response: The response in progress.
        prompt: The context, for the model of the response.
        context: The context of the client's request.
        hosted: The hosted tools of the request, which remain open at the end.
        compactor: Compacts the context when necessary; None for a request without compaction.
    """

    def __init__(
        self,
        request: CreateResponse,
        response: Response,
        prompt: PromptState,
        context: RequestContext,
        hosted: HostedTools = NO_TOOLS,
        compactor: Compactor | None = None,
    ) -> None:
        self.include = frozenset(request.include or ())
        """The `include` of the request."""
        self._outcome = Outcome(response, context.clock, prompt.model.moderation)
        self._prompt = prompt
        self._context = context
        self._compactor = compactor
        self._generates = not is_warm_up(request)
        self._max_rounds = hosted.max_rounds
        self._work: HostedWork | None = None
        if hosted.tools:
            self._work = HostedWork(
                hosted.tools,
                prompt.items if prompt.kept is None else [*prompt.items, *prompt.kept.items],
                self._outcome.output,
                self.include,
                response.max_tool_calls,
                context,
            )

    @property
    def response(self) -> Response:
        """The response in progress."""
        return self._outcome.response

    @property
    def model(self) -> ResolvedModel:
        """The model of the response."""
        return self._prompt.model

    @property
    def failure(self) -> AntiphonError | None:
        """The error that the response failed with."""
        return self._outcome.failure

    async def prepare(self) -> None:
        """Translate the request.

        Raises:
            InvalidRequest: No chat backend accepts the request.
        """
        if self._work is None:
            await self._prompt.offer({}, are_set_up=True)
        else:
            await self._prompt.offer(self._work.offered(), are_set_up=self._work.is_set_up)
        if self._prompt.withheld:
            self.response.input_transformations = self._prompt.withheld
        self._outcome.output += self._prompt.go_on()

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield the numbered events, in one batch per network read; the last is terminal.

        Closing the generator, or cancelling its task, closes the connection to the backend and stops the
        tools.
        """
        outcome = self._outcome
        yield outcome.begin(self._kept_events() if outcome.output else [])
        try:
            is_answered = not self._generates
            if is_answered:
                outcome.count_nothing()
            elif self._compactor is not None and self._compactor.is_all:
                yield outcome.number(self._compactor.opening())
                outcome.hold(await self._compact(self._prompt.items))
                is_answered = True
            elif self._work is not None or self._compactor is not None:
                async with aclosing(self._before_the_model()) as batches:
                    async for events in batches:
                        yield outcome.number(events)
            while not is_answered:
                call = self._next_call()
                try:
                    async with call:
                        async for chunks in call.reads:
                            events, failure = call.feed(chunks)
                            if events:
                                yield outcome.number(events)
                            if failure is not None:
                                raise failure
                except ContextLengthExceeded:
                    if call.has_begun or not await self._prompt.shorten():
                        raise
                    continue
                events, failure = call.finish()
                outcome.hold(events)
                if failure is not None:
                    raise failure
                reply = call.reply
                if reply.stopped_early:
                    outcome.hold(self._cut_off(reply))
                is_answered = reply.stopped_early or not (reply.hosted_calls or _goes_on(reply.said))
                if not is_answered:
                    if events:
                        yield outcome.release()
                    if reply.hosted_calls:
                        async with aclosing(self._hosted_work(reply)) as batches:
                            async for events in batches:
                                yield outcome.number(events)
                    is_answered = self._ends_turn(reply) or self._is_steered()
                if not is_answered:
                    self._prompt.next_round(self._said(reply))
                elif await self._has_grown_too_long(reply):
                    if held := outcome.release():
                        yield held
                    outcome.hold(await self._compact_at_the_end())
        except AntiphonError as error:
            outcome.failure = error
            self._abandon()
        yield outcome.end()

    def _kept_events(self) -> list[Event]:
        """Return the events of the items that a fork has kept, with which its output begins."""
        return [] if self._prompt.kept is None else shown(self._prompt.kept.events(), self.include)

    def fail(self, error: AntiphonError, instead_of: Event | None = None) -> list[Event]:
        """Return the last events after an error from outside the loop; see `Outcome.fail`."""
        self._abandon()
        return self._outcome.fail(error, instead_of)

    def items(self) -> list[Item]:
        """Return the context and the output so far, which a follow-up has as its context."""
        return self._prompt.whole_context(self._outcome.output)

    def cancel(self) -> Response:
        """Return the cancelled response, after its client has disconnected."""
        self._abandon()
        return self._outcome.cancel()

    async def _before_the_model(self) -> AsyncGenerator[list[Event], None]:
        """Set the hosted tools up, run the calls that the client approved, and compact."""
        if self._work is not None:
            async with aclosing(self._hosted_set_up(self._work)) as batches:
                async for events in batches:
                    yield events
        if self._compactor is not None and await self._compactor.is_due(self._chat_request()):
            events = await self._compact_before_the_answer()
            if events:
                yield events

    async def _hosted_set_up(self, work: HostedWork) -> AsyncGenerator[list[Event], None]:
        prompt, output = self._prompt, self._outcome.output
        if not work.is_set_up:
            async with aclosing(work.set_up()) as batches:
                async for events in batches:
                    yield events
            await prompt.offer(work.offered(), are_set_up=True)
        begin = len(output)
        async with aclosing(work.run_approved()) as batches:
            async for events in batches:
                yield events
        if approved := output[begin:]:
            prompt.remember(approved)

    def _abandon(self) -> None:
        if self._work is not None:
            self._work.abandon()

    @property
    def _waits(self) -> bool:
        """Whether the client has to answer a hosted call."""
        return self._work is not None and self._work.waits

    def _chat_request(self) -> ChatRequest:
        return self._prompt.chat_request(self._outcome.output_tokens)

    def _next_call(self) -> "_ModelCall":
        request = self._chat_request()
        if self._prompt.model.interrupted is not None:
            self._outcome.output += self._prompt.model.interrupted()
        begin = None if self._work is None else self._work.begin
        reply = self._prompt.assembler(self._outcome.output, self._context.ids, begin)
        self._outcome.follow(reply)
        note = None
        if self._context.steps is not None:
            output, dropped = len(self._outcome.output), self._prompt.dropped
            note = ModelNote(self._prompt.model.id, request, reply, output, dropped)
        return _ModelCall(self._prompt.model, request, reply, self._context, note)

    async def _hosted_work(self, reply: Assembler) -> AsyncGenerator[list[Event], None]:
        """Yield the events of the hosted calls of a reply, and of the items that wait for them."""
        assert self._work is not None
        while True:
            async with aclosing(self._work.run(self._hosted_calls(self._work, reply))) as batches:
                async for events in batches:
                    yield events
            if not reply.is_paused:
                break
            if events := reply.resume():
                yield events
            if reply.failure is not None:
                raise reply.failure

    def _cut_off(self, reply: Assembler) -> list[Event]:
        """Return the events of hosted calls that don't run, because a limit cut their reply off."""
        if self._work is None:
            return []
        events = self._work.leave(self._hosted_calls(self._work, reply))
        while reply.is_paused:
            events += reply.resume()
            events += self._work.leave(self._hosted_calls(self._work, reply))
        return events

    def _hosted_calls(self, work: HostedWork, reply: Assembler) -> list[HostedCall]:
        calls: list[HostedCall] = []
        for each in reply.hosted_calls:
            its = self._prompt.hosted_function(each.name)
            calls.append(each.streamed or work.call(its.position, its.name, each.arguments))
        return calls

    def _said(self, reply: Assembler) -> list[Item]:
        """Return the items of a reply and of its hosted calls, for the model."""
        return reply.said + (self._work.unseen if self._work is not None else [])

    def _ends_turn(self, reply: Assembler) -> bool:
        """Return whether the response ends though its last reply called hosted tools."""
        if self._waits or asks_client(reply.said):
            return True
        limit = self.response.max_output_tokens
        is_spent = limit is not None and self._outcome.output_tokens >= limit
        self._outcome.is_exhausted = is_spent or self._prompt.rounds + 1 >= self._max_rounds
        return self._outcome.is_exhausted

    def _is_steered(self) -> bool:
        """Return whether the response ends because the client has sent input for the next model call."""
        steering = self._context.steering
        self._outcome.is_steered = steering is not None and steering.has_input()
        return self._outcome.is_steered

    async def _compact(self, items: list[Item]) -> list[Event]:
        """Add a compaction of `items` to the output, for this response and later ones."""
        assert self._compactor is not None
        try:
            item = await self._compactor.compact(items)
        finally:
            self._outcome.summary_usage = self._compactor.usage
        index = len(self._outcome.output)
        self._outcome.output.append(item)
        done = OutputItemDone(index, item)
        return [done] if self._compactor.is_all else [OutputItemAdded(index, item), done]

    async def _compact_before_the_answer(self) -> list[Event]:
        """Compact the context and the calls that the client has approved.

        A context that is too long even for its summary is truncated if the request allows it. If the window
        has too little space for a whole summary, the context remains as it is.
        """
        items = [*self._prompt.items, *self._outcome.output]
        try:
            events = await self._compact(items)
        except (ContextLengthExceeded, SummaryTooLong) as error:
            if isinstance(error, ContextLengthExceeded) and self.response.truncation != "auto":
                raise
            self._context.observer.compaction_failed(error)
            return []
        await self._prompt.replace_context(items, self._outcome.output[-1])
        return events

    async def _has_grown_too_long(self, reply: Assembler) -> bool:
        """Return whether the reply made the context too long, and needs no answer."""
        compactor = self._compactor
        if compactor is None or compactor.has_tried or self._outcome.is_exhausted:
            return False
        if self._outcome.is_steered or reply.stopped_early or self._waits or asks_client(reply.said):
            return False
        self._prompt.remember(reply.said)
        return await compactor.is_due(self._chat_request(), reply.usage)

    async def _compact_at_the_end(self) -> list[Event]:
        """Compact the context of the next response; on failure, that response compacts it."""
        try:
            return await self._compact([*self._prompt.items, *self._outcome.output])
        except (UpstreamError, ContextLengthExceeded) as error:
            self._context.observer.compaction_failed(error)
            return []


class _ModelCall:
    """A model call for `async with`, which closes the connection and counts tokens."""

    def __init__(
        self,
        model: ResolvedModel,
        request: ChatRequest,
        reply: Assembler,
        context: RequestContext,
        note: ModelNote | None,
    ) -> None:
        self.reply = reply
        self.has_begun = False
        """Whether the reply has produced events."""
        self._model = model
        self._request = request
        self._context = context
        self._note = note
        self._count = 0
        self._last = b""

    async def __aenter__(self) -> Self:
        self._context.observer.model_called(self._model.id)
        if self._context.steps is not None and self._note is not None:
            self._context.steps.begin(self._note)
        self.reads: AsyncGenerator[list[bytes], None] = self._model.chat_model.stream(self._request)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.reads.aclose()
        if self._context.steps is not None and self._note is not None:
            self._context.steps.end(self._note, error)
        if self._context.spend is not None:
            self._context.spend(spent(self.reply.usage, self._request, self._count, self._last))

    def feed(self, chunks: list[bytes]) -> tuple[list[Event], AntiphonError | None]:
        """Return the events of one read's chunks, and the failure of an invalid reply."""
        if not self._count and self._note is not None:
            self._note.first = time.perf_counter()
        self._count += len(chunks)
        if chunks:
            self._last = chunks[-1]
        events = self.reply.feed(chunks)
        if events:
            self.has_begun = True
        return events, self.reply.failure

    def finish(self) -> tuple[list[Event], AntiphonError | None]:
        """Return the events that end the reply, and the failure of an incomplete reply."""
        return self.reply.finish(), self.reply.failure


def is_warm_up(request: CreateResponse) -> bool:
    """Return whether a request only stores its context.

    It has `generate: false` (WebSocket), or `prompt_cache_options.prewarm`, which implies that. Codex CLI
    sends such a request at the beginning of every connection, and continues it with the user's request.
    api.openai.com returns no output for it and counts no output tokens.
    """
    options = request.prompt_cache_options
    if options is not None and options.prewarm is True:
        return True
    return isinstance(request, ResponseCreateEvent) and request.generate is False


def _goes_on(items: list[Item]) -> bool:
    """Return whether the items contain a call whose output the model does not wait for."""
    return any(isinstance(item, FunctionCall | CustomToolCall) and item.is_async is True for item in items)
