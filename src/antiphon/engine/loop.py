"""One response in the making: model call after model call until it is done, as one stream of events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import get_args

import msgspec

from antiphon.engine.assemble import Assembler, AssemblyOptions
from antiphon.engine.ports import Clock, Ids, ResolvedModel
from antiphon.engine.translate import Translated, translate
from antiphon.engine.truncate import shortened
from antiphon.errors import AntiphonError, ContextLengthExceeded
from antiphon.wire.chat import ChatUsage
from antiphon.wire.events import (
    ErrorEvent,
    Event,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    ResponseInProgress,
)
from antiphon.wire.items import Item
from antiphon.wire.responses import (
    CreateResponse,
    IncompleteDetails,
    InputTokensDetails,
    OutputTokensDetails,
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

    `response` is the response in progress and never changes; the last event carries the finished one. The
    request is translated at once, so that a request that no backend can be given fails before the stream
    begins (`InvalidRequest`).
    """

    def __init__(
        self,
        request: CreateResponse,
        response: Response,
        items: list[Item],
        model: ResolvedModel,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self.response = response
        self.failure: AntiphonError | None = None
        self._request = request
        self._items = items
        self._model = model
        self._clock = clock
        self._output: list[Item] = []
        self._sequence = 0
        self._translated = self._translate(items)
        capabilities = model.chat_model.capabilities
        include = request.include or ()
        options = AssemblyOptions(
            source=model.id,
            tool_names=self._translated.tool_names,
            think_tags=capabilities.think_tags,
            logprobs="message.output_text.logprobs" in include,
            encrypted_reasoning="reasoning.encrypted_content" in include,
        )
        self._assembler = Assembler(self._output, ids, options)

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yields the events in batches, one for each network read, numbered; the last is terminal.

        Closing the generator, or cancelling its task, closes the connection to the backend.
        """
        yield self._numbered([ResponseCreated(self.response), ResponseInProgress(self.response)])
        assembler = self._assembler
        try:
            async with aclosing(self._replies()) as batches:
                async for chunks in batches:
                    events = assembler.feed(chunks)
                    if events:
                        yield self._numbered(events)
                    if assembler.failure is not None:
                        break
        except AntiphonError as error:
            self.failure = error
        events = assembler.finish() if self.failure is None else []
        self.failure = self.failure or assembler.failure
        if self.failure is None:
            events.append(self._ended())
        else:
            events += self._failed(self.failure)
        yield self._numbered(events)

    def fail(self, error: AntiphonError, instead_of: Event | None = None) -> list[Event]:
        """Ends the response after an error from outside the loop; the events are numbered.

        `instead_of` is an event that was made but will not be sent, and whose place is taken.
        """
        self.failure = error
        if instead_of is not None:
            self._sequence = instead_of.sequence_number
        return self._numbered(self._failed(error))

    def cancelled(self) -> Response:
        """Returns the response as it stands when nobody waits for it any more."""
        self._assembler.abandon()
        return self._terminal(status="cancelled")

    async def _replies(self) -> AsyncGenerator[list[bytes], None]:
        """The model's chunks; with `truncation: auto` the context is shortened until it fits."""
        chat_request = self._translated.chat_request
        shorter = shortened(self._items) if self.response.truncation == "auto" else iter(())
        while True:
            try:
                async with aclosing(self._model.chat_model.stream(chat_request)) as batches:
                    async for chunks in batches:
                        yield chunks
                return
            except ContextLengthExceeded:
                items = next(shorter, None)
                if items is None:
                    raise
                chat_request = self._translate(items).chat_request

    def _translate(self, items: list[Item]) -> Translated:
        capabilities = self._model.chat_model.capabilities
        return translate(self._request, items, self._model.name, capabilities)

    def _ended(self) -> Event:
        if not self._assembler.stopped_early:
            completed_at = int(self._clock())
            return ResponseCompleted(self._terminal(status="completed", completed_at=completed_at))
        too_long = self._assembler.finish_reason == "length"
        details = IncompleteDetails("max_output_tokens" if too_long else "content_filter")
        return ResponseIncomplete(self._terminal(status="incomplete", incomplete_details=details))

    def _failed(self, error: AntiphonError) -> list[Event]:
        """An `error` event, then `response.failed`; a rate limit has only the latter (`wire.md` 4)."""
        self._assembler.abandon()
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
        return msgspec.structs.replace(
            self.response,
            status=status,
            output=list(self._output),
            service_tier=tier if tier in _TIERS else unknown,
            usage=_usage(self._assembler.usage),
            **changes,
        )

    def _numbered(self, events: list[Event]) -> list[Event]:
        number = self._sequence
        for event in events:
            event.sequence_number = number
            number += 1
        self._sequence = number
        return events


def _usage(usage: ChatUsage | None) -> Usage | None:
    """Token counts in the Responses form; None where the backend tells none."""
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
