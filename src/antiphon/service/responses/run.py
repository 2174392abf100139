"""One response on its way: the engine's events, and the state behind them."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from antiphon.engine.hosted.items import for_client
from antiphon.engine.loop import Loop
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, InternalError
from antiphon.service.items import new_item
from antiphon.service.responses.gather import Turn
from antiphon.store import Store
from antiphon.store.rows import FinishedResponse, NewResponse
from antiphon.wire.events import Event, ResponseCompleted, ResponseFailed, ResponseIncomplete
from antiphon.wire.items import Message
from antiphon.wire.responses import Response

log = logging.getLogger("antiphon.service")

_encode = msgspec.json.Encoder().encode
_UNSEEN = 0.2
"""Seconds after which a response is stored in progress though nobody has been told of it yet."""
_TERMINAL = (ResponseCompleted, ResponseIncomplete, ResponseFailed)


class Run:
    """Runs a loop and keeps what it makes.

    The terminal event is handed out only after the state behind it is committed. Every stored response
    reaches a terminal state: a run that is left early is stored as cancelled, one that breaks as failed.
    `start` is None for a response that is not to be stored.
    """

    def __init__(self, loop: Loop, store: Store, context: RequestContext, start: NewResponse | None) -> None:
        self.loop = loop
        self.has_begun = False
        """Whether the events are or were read: from then on the store ends the response."""
        self.final: Response | None = None
        self._store = store
        self._owner = context.owner
        self._observer = context.observer
        self._observer.responded(loop.response, None)
        self._start = start

    async def events(self, *, is_announced: bool = True) -> AsyncGenerator[list[Event], None]:
        """Yields the events in batches; the last event is terminal.

        Where nobody is told of the response before its end, the last batch is the only one, and the response
        is stored in one write if it does not take long.
        """
        self.has_begun = True
        if self._start is not None and is_announced:
            self._store.pending.begin(self._owner, self._start)
        elif self._start is not None:
            self._store.pending.begin_later(self._owner, self._start, _UNSEEN)
        try:
            async with aclosing(self.loop.events()) as batches:
                async for events in batches:
                    if isinstance(events[-1], _TERMINAL):
                        yield await self._commit(events)
                    elif is_announced:
                        yield events
        except (asyncio.CancelledError, GeneratorExit):
            self._give_up(self.loop.cancel())
            raise
        except Exception:
            # The request boundary: a fault of this server still ends the stream in the API's way.
            log.exception("response %s failed", self.loop.response.id)
            yield await self._commit(self.loop.fail(InternalError()))
        finally:
            if self.final is not None:
                self._observer.responded(self.final, self.loop.failure)

    async def response(self) -> Response:
        """Runs to the end and returns the final response; raises the error that it failed with."""
        async for _ in self.events(is_announced=False):
            pass
        if self.loop.failure is not None:
            raise self.loop.failure
        assert self.final is not None
        return self.final

    def turn(self) -> Turn | None:
        """Returns what a follow-up of the response sees, or None if it has not ended well."""
        if self.final is None or self.final.status not in ("completed", "incomplete"):
            return None
        return Turn(self.final.id, self.loop.items())

    async def _commit(self, events: list[Event]) -> list[Event]:
        last = events[-1]
        assert isinstance(last, _TERMINAL)
        # From here on this is how the response ended, even if nobody waits for the commit any more.
        self.final = last.response
        if self._start is not None:
            try:
                await self._store.pending.finish(self._owner, _finished(last.response))
            except AntiphonError as error:
                if isinstance(last, ResponseFailed):  # It is told why already.
                    log.error("response %s cannot be stored: %s", last.response.id, error.message)
                else:
                    events = [*events[:-1], *self.loop.fail(error, instead_of=last)]
                await self._unlock()
        last = events[-1]
        assert isinstance(last, _TERMINAL)
        self.final = last.response
        # The store has the items whole; the client sees what the request includes. Messages hide nothing.
        include = self.loop.include
        self.final.output = [
            item if isinstance(item, Message) else for_client(item, include) for item in self.final.output
        ]
        return events

    def _give_up(self, response: Response) -> None:
        if self.final is None:
            self.final = response
            if self._start is not None:
                try:
                    # Nobody waits for the write, which stands all the same; the store logs if it fails.
                    self._store.pending.finish(self._owner, _finished(response)).cancel()
                except AntiphonError as error:
                    log.error("response %s remains in progress: %s", response.id, error.message)

    async def _unlock(self) -> None:
        """Lets others into the conversation; the store has not, as it could not finish the response."""
        if self._start is not None and self._start.conversation_id is not None:
            try:
                await self._store.conversations.unlock(self.loop.response.id)
            except AntiphonError as error:
                log.error("a conversation remains locked: %s", error.message)


def _finished(response: Response) -> FinishedResponse:
    status = response.status
    assert status != "queued"
    assert status != "in_progress"
    return FinishedResponse(
        id=response.id,
        status=status,
        completed_at=response.completed_at,
        body=_encode(msgspec.structs.replace(response, output=[])).decode(),
        output=[new_item(item) for item in response.output],
    )
