"""Streams of responses: opened, read to their terminal event, resumed after a loss, and cancelled."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, suppress
from functools import partial

from antiphon.agent.client import ResponsesClient
from antiphon.agent.fields import TERMINAL, field, response_of, text_field
from antiphon.agent.turns.response import Failure, failure_of
from antiphon.wire.json import JSON, JSONObject

DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt to resume a stream; new events start the row again."""


class ConnectionLost(Exception):
    """Response that has no terminal event and can't be resumed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class _StreamEnded(Exception):
    """Stream that ended without a terminal event."""


class _Position:
    """Position in the stream of a response."""

    def __init__(self) -> None:
        self.response_id = ""
        self.ended = False
        self.number = -1
        """Sequence number of the latest event."""
        self._known = -1
        """Sequence number of the last event before the stream was resumed."""
        self._losses: list[Exception] = []
        """Losses since the last new event."""

    def advance(self, event: object) -> bool:
        """Note an event, and return whether the agent needs it."""
        if self.ended:
            return False
        number = field(event, "sequence_number")
        if isinstance(number, int):
            if number <= self._known:
                return False
            self.number = number
        self._losses.clear()
        self.response_id = text_field(response_of(event), "id") or self.response_id
        self.ended = text_field(event, "type") in TERMINAL
        return True

    @property
    def is_running(self) -> bool:
        """Whether the server has begun the response, and has not ended it."""
        return bool(self.response_id) and not self.ended

    def check(self) -> None:
        """Raise an error if the stream has no terminal event."""
        if not self.ended:
            raise _StreamEnded("the stream has no terminal event")

    def lose(self, error: Exception) -> float:
        """Return the seconds to wait before the stream is resumed.

        Raises:
            ConnectionLost: The stream can't be resumed.
        """
        if self.ended:
            return 0
        status = field(error, "status_code")
        is_refusal = isinstance(status, int) and status < 500 and status != 429
        is_answer = status is None and field(error, "body") is not None
        if is_answer:
            self.ended = True  # openai-python raises `error` events.
        # Without sequence numbers, the rest of a stream looks like its beginning.
        can_resume = self.response_id and self.number >= 0 and len(self._losses) < len(DELAYS)
        if is_answer or is_refusal or not can_resume:
            # A server that can't resume a response refuses to; the loss before is the reason of the failure.
            raise ConnectionLost(_failure(self._losses[0] if self._losses else error)) from error
        self._known = self.number
        self._losses.append(error)
        return DELAYS[len(self._losses) - 1]


def events_of(responses: ResponsesClient, request: JSONObject) -> Generator[object, None, None]:
    """Yield the events of a response up to the terminal one.

    Closing the generator closes the connection, and cancels a background response.

    Raises:
        ConnectionLost: The server reported an error, or the stream can't be resumed.
    """
    position = _Position()
    source: Callable[[], JSON] = partial(responses.create, **request)
    try:
        while not position.ended:
            try:
                yield from _read(source(), position)
            except Exception as error:  # noqa: BLE001
                # Client libraries have errors of their own, which this package can't name, because it imports
                # none of them. `lose` tells a lost connection from a refusal by the fields of the error.
                time.sleep(position.lose(error))
            source = partial(
                responses.retrieve, position.response_id, stream=True, starting_after=position.number
            )
    finally:
        if request.get("background") and position.is_running:
            # The turn has its outcome. An error of the client library, which can have any class, must not
            # replace it.
            with suppress(Exception):
                responses.cancel(position.response_id)


async def async_events_of(responses: ResponsesClient, request: JSONObject) -> AsyncGenerator[object, None]:
    """Yield the events of a response as `events_of` does, with an asynchronous client."""
    position = _Position()
    source: Callable[[], Awaitable[JSON]] = partial(responses.create, **request)
    try:
        while not position.ended:
            try:
                async with aclosing(_async_read(await source(), position)) as events:
                    async for event in events:
                        yield event
            except Exception as error:  # noqa: BLE001
                # As in `events_of`.
                import asyncio  # Here, because it takes longer to import than this package.

                await asyncio.sleep(position.lose(error))
            source = partial(
                responses.retrieve, position.response_id, stream=True, starting_after=position.number
            )
    finally:
        if request.get("background") and position.is_running:
            with suppress(Exception):  # As in `events_of`.
                await responses.cancel(position.response_id)


def _read(stream: JSON, position: _Position) -> Iterator[object]:
    """Yield the new events of a stream, and read it to its end, so that its connection can be used again."""
    try:
        for event in stream:
            if position.advance(event):
                yield event
    finally:
        if callable(close := getattr(stream, "close", None)):
            close()
    position.check()


async def _async_read(stream: JSON, position: _Position) -> AsyncGenerator[object, None]:
    try:
        async for event in stream:
            if position.advance(event):
                yield event
    finally:
        if callable(close := getattr(stream, "close", None)):
            await close()
    position.check()


def _failure(error: Exception) -> Failure:
    """Return the failure for a client's exception, in the server's words if it has some."""
    body = field(error, "body")
    lost = f"The connection was lost: {error.__cause__ or error}"
    words = failure_of(field(body, "error") or body, lost, "connection_lost")
    return Failure(words.message, words.code, error)
