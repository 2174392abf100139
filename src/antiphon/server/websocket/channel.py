"""Frames of the server: the events and errors of all lanes, one after another."""

import asyncio
from collections.abc import Sequence

import msgspec
from msgspec import UNSET
from starlette.websockets import WebSocket, WebSocketDisconnect

from antiphon.errors import AntiphonError
from antiphon.server.websocket.lanes import Lane
from antiphon.wire.errors import ErrorFrame, FrameError
from antiphon.wire.events import Event
from antiphon.wire.steering import SteerEvent

_encode = msgspec.json.Encoder().encode


class Channel:
    """The sending side of a connection.

    Its methods send in the order of their calls. They raise `WebSocketDisconnect` on a closed connection.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._turn = asyncio.Lock()
        self._is_closed = False

    async def send(self, lane: Lane, events: Sequence[Event]) -> None:
        """Send events of a lane's response.

        Events about steering count among those of the response, so that its numbers have no gaps.
        """
        async with self._turn:
            for event in events:
                if event.sequence_number == 0:
                    lane.added = 0
                event.sequence_number += lane.added
                lane.number = event.sequence_number
                await self._write(event, lane.stream_id)

    async def send_steering(self, lane: Lane | None, event: SteerEvent) -> None:
        """Send an event about steering; `lane` is None for a response that this connection doesn't have."""
        async with self._turn:
            if lane is not None:
                lane.added += 1
                lane.number += 1
                event.sequence_number = lane.number
            await self._write(event, None if lane is None else lane.stream_id)

    async def send_error(self, error: AntiphonError, stream_id: str | None = None) -> None:
        """Send an error event with the status and headers of an HTTP response.

        The event always has a code, which Open Responses requires.
        """
        body = FrameError(
            message=error.message,
            type=error.type,
            param=error.param,
            code=error.code or error.type,
            headers=error.headers or UNSET,
        )
        async with self._turn:
            await self._write(ErrorFrame(error.status, body), stream_id)

    async def close(self) -> None:
        """Close the connection."""
        async with self._turn:
            self._is_closed = True
            await self._websocket.close()

    async def _write(self, event: object, stream_id: str | None) -> None:
        if self._is_closed:
            raise WebSocketDisconnect
        text = _encode(event).decode()
        if stream_id is not None:  # Its characters need no escapes.
            text = f'{text[:-1]},"stream_id":"{stream_id}"}}'
        await self._websocket.send_text(text)
