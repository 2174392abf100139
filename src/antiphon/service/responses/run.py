"""One response in progress: the engine's events, and their storage."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Container
from contextlib import aclosing
from types import TracebackType
from typing import Self

import msgspec

from antiphon.durable.streams import StreamLog
from antiphon.engine.hosted.items import for_client
from antiphon.engine.loop import Loop
from antiphon.engine.ports import NO_TOOLS, HostedTools
from antiphon.engine.request_context import RequestContext
from antiphon.engine.steps import StepNotes
from antiphon.errors import AntiphonError, InternalError
from antiphon.service.items import new_item
from antiphon.service.responses.gather import Turn
from antiphon.service.steps import log_of
from antiphon.store import Store
from antiphon.store.log.rows import NewLogEntry
from antiphon.store.responses.rows import FinishedResponse, NewResponse
from antiphon.wire.events import Event, ResponseCompleted, ResponseFailed, ResponseIncomplete
from antiphon.wire.items import Item, Message
from antiphon.wire.responses import Response

log = logging.getLogger("antiphon.service")

_encode = msgspec.json.Encoder().encode
_UNSEEN = 0.2
"""Seconds after which an unannounced response is stored as in progress."""
TERMINAL = (ResponseCompleted, ResponseIncomplete, ResponseFailed)


class Resources(msgspec.Struct, eq=False):
    """The open tools and the conversation lock of a response."""

    store: Store
    hosted: HostedTools = NO_TOOLS
    """The hosted tools, which are open."""
    lock: str | None = None
    """The ID that the conversation is locked with; None once the store unlocks it by itself."""

    async def release(self) -> None:
        """Close the tools and unlock the conversation."""
        try:
            if self.hosted is not NO_TOOLS:
                await self.hosted.close()
        finally:
            if self.lock is not None:
                await self.store.conversations.unlock(self.lock)


class Run:
    """The run of one response, which stores its outcome.

    The terminal event is yielded only after the response is committed. Every stored response reaches a
    terminal state: cancelled if the reader closes the events early, failed after an error.

    Use it with `async with`, which releases the resources whether or not the events were read.

    Args:
        loop: The events of the response.
        store: The database.
        context: The context of the request.
        start: The response to store at the beginning; None for `store: false`.
        resources: The resources of the response.
    """

    def __init__(
        self,
        loop: Loop,
        store: Store,
        context: RequestContext,
        start: NewResponse | None,
        resources: Resources,
    ) -> None:
        self.loop = loop
        self.final: Response | None = None
        """The finished response; None before its end."""
        self._store = store
        self._owner = context.owner
        self._context = context
        self._observer = context.observer
        self._observer.responded(loop.response, None)
        self.start = start
        """The response to store at the beginning; None for `store: false`."""
        self._resources = resources
        self.log: StreamLog | None = None
        """The event log, if a client can resume the stream."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.release()

    def keep_lock(self) -> None:
        """Leave the conversation locked, for the run that continues this one in the background."""
        self._resources.lock = None

    async def events(self, *, is_announced: bool = True) -> AsyncGenerator[list[Event], None]:
        """Yield the events in batches; the last event is terminal.

        Args:
            is_announced: Whether the client receives events before the end. If not, the last batch is the
                only one, and a response that ends quickly is stored in a single write.
        """
        self._resources.lock = None  # The store unlocks the conversation when it finishes the response.
        if self.start is not None and is_announced:
            self._store.pending.begin(self._owner, self.start)
        elif self.start is not None:
            self._store.pending.begin_later(self._owner, self.start, _UNSEEN)
        try:
            if self.log is not None and is_announced:
                # The client can resume the stream at any server from its first event on.
                await asyncio.wait([self.log.begin()])
            async with aclosing(self.loop.events()) as batches:
                async for events in batches:
                    if isinstance(events[-1], TERMINAL):
                        yield await self._commit(events)
                    elif is_announced:
                        if self.log is not None:
                            self.log.append(events)
                        yield events
        except (asyncio.CancelledError, GeneratorExit):
            self._give_up(self.loop.cancel())
            raise
        except Exception:
            # The request boundary: the stream also ends with the API's events after a fault of this server.
            log.exception("Failed to run a response: %s", self.loop.response.id)
            yield await self._commit(self.loop.fail(InternalError()))
        finally:
            if self.final is not None:
                self._observer.responded(self.final, self.loop.failure)

    async def response(self) -> Response:
        """Run to the end, and return the finished response.

        Raises:
            AntiphonError: The response failed.
        """
        async for _ in self.events(is_announced=False):
            pass
        if self.loop.failure is not None:
            raise self.loop.failure
        assert self.final is not None
        return self.final

    def turn(self) -> Turn | None:
        """Return the context that a follow-up has; None unless completed or incomplete."""
        if self.final is None or self.final.status not in ("completed", "incomplete"):
            return None
        return Turn(self.final.id, self.loop.items())

    async def _commit(self, events: list[Event]) -> list[Event]:
        last = events[-1]
        assert isinstance(last, TERMINAL)
        # From here on the outcome is fixed, even if the request is cancelled during the commit.
        self.final = last.response
        if self.start is not None:
            try:
                await self._finish(events, last.response)
            except AntiphonError as error:
                if isinstance(last, ResponseFailed):  # The client receives the first error.
                    log.error("Failed to store response %s: %s", last.response.id, error.message)
                else:
                    events = [*events[:-1], *self.loop.fail(error, instead_of=last)]
                await self._unlock()
        elif self._context.steps is not None:
            self._log_unstored(self._context.steps, last.response)
        last = events[-1]
        assert isinstance(last, TERMINAL)
        self.final = last.response
        # The store has complete items. The client receives them without fields that it did not `include`,
        # which messages do not have.
        self.final.output = shown_output(self.final, self.loop.include)
        return events

    def _log_unstored(self, steps: StepNotes, response: Response) -> None:
        logged = log_of(steps, response, self.loop.failure)
        entry = NewLogEntry(
            id=response.id,
            kind="unstored",
            owner=self._owner,
            key_name=self._context.key,
            created_at=float(response.created_at),
            status=response.status,
            model=response.model,
            summary=logged.summary,
            steps=logged.steps,
        )
        self._store.log.add_soon(entry)

    def _give_up(self, response: Response) -> None:
        if self.final is None:
            self.final = response
            if self.start is not None:
                try:
                    # Cancelling the future doesn't cancel the write; the store logs its failure.
                    self._finish(None, response).cancel()
                except AntiphonError as error:
                    log.error("Failed to store cancelled response %s: %s", response.id, error.message)
            elif self._context.steps is not None:
                self._log_unstored(self._context.steps, response)

    def _finish(self, events: list[Event] | None, response: Response) -> asyncio.Future[None]:
        """Queue the write of the end of the response, with its last events; None if it is cancelled."""
        finished = finished_response(response, self._context.steps, self.loop.failure)
        if self.log is None:
            return self._store.pending.finish(self._owner, finished)
        response.output = shown_output(response, self.loop.include)
        return self.log.end(events or [ResponseIncomplete(response, self.log.next_number)], finished)

    async def _unlock(self) -> None:
        """Unlock the conversation, because the store failed to finish the response."""
        if self.start is not None and self.start.conversation_id is not None:
            try:
                await self._store.conversations.unlock(self.loop.response.id)
            except AntiphonError as error:
                log.error("Failed to unlock conversation %s: %s", self.start.conversation_id, error.message)


def shown_output(response: Response, include: Container[str]) -> list[Item]:
    """Return the output without the parts that the request does not `include`."""
    return [item if isinstance(item, Message) else for_client(item, include) for item in response.output]


def finished_response(
    response: Response, steps: StepNotes | None = None, error: AntiphonError | None = None
) -> FinishedResponse:
    """Return a response that has ended, with its complete items and its log, for the store.

    Args:
        response: The response.
        steps: The calls of the response; None if it has no log.
        error: The error that it failed with.
    """
    status = response.status
    assert status != "queued"
    assert status != "in_progress"
    return FinishedResponse(
        id=response.id,
        status=status,
        completed_at=response.completed_at,
        body=_encode(msgspec.structs.replace(response, output=[])).decode(),
        output=[new_item(item) for item in response.output],
        log=None if steps is None else log_of(steps, response, error),
    )
