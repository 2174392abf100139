"""The outcome of a response: output, sequence numbers, usage and terminal event."""

from collections.abc import Callable
from typing import get_args

import msgspec
from msgspec import UNSET

from antiphon.engine.reply.assemble import Assembler
from antiphon.engine.reply.usage import tool_usage_of, total, usage_of
from antiphon.engine.request_context import Clock
from antiphon.errors import AntiphonError
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
from antiphon.wire.moderation import Moderation
from antiphon.wire.responses import (
    IncompleteDetails,
    Response,
    ResponseError,
    ResponseStatus,
    ServiceTier,
    Usage,
)

_TIERS = get_args(ServiceTier)
"""The tiers of the API; some backends, such as Groq, send others."""


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
