"""A WebSocket connection: its frames, its bounds and its end."""

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from antiphon.errors import AntiphonError
from antiphon.server.websocket.channel import Channel
from antiphon.server.websocket.errors import ConnectionBusy, ConnectionExpired
from antiphon.server.websocket.frames import STEER, Frame, frame_of
from antiphon.server.websocket.lanes import Lane, Lanes
from antiphon.server.websocket.requests import Requests

LIMIT = 60 * 60.0
"""Seconds after which a connection accepts no more requests, as at api.openai.com."""
MAX_RUNNING = 16
"""Responses in progress of one connection, in all lanes together, as at api.openai.com."""
MAX_WAITING = 64
"""Requests that may wait for their turn, in all lanes together."""
MAX_WAITING_SIZE = 32 * 1024 * 1024
"""Size limit of the requests that wait, together: characters, or bytes of binary frames."""


class Connection:
    """One connection.

    Requests of one lane are handled one after another, and those of different lanes at the same time.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._channel = Channel(websocket)
        self._lanes = Lanes()
        self._requests = Requests(websocket, self._channel, self._lanes)
        self._slots = asyncio.Semaphore(MAX_RUNNING)
        self._waiting = self._waiting_size = 0
        self._expired = asyncio.Event()

    async def run(self, limit: float) -> None:
        """Handle requests until the client disconnects or the connection expires.

        A disconnect cancels the responses in progress.

        Args:
            limit: Seconds after which the connection accepts no more requests.
        """
        alarm = asyncio.get_running_loop().call_later(limit, self._expired.set)
        try:
            async with asyncio.TaskGroup() as group:
                expiry = group.create_task(self._expire())
                await self._receive(group)
                expiry.cancel()
                for lane in self._lanes:
                    if lane.task is not None:
                        lane.task.cancel()
        finally:
            alarm.cancel()

    def expire(self) -> None:
        """Accept no more requests, and close the connection after the last response."""
        self._expired.set()

    async def _expire(self) -> None:
        await self._expired.wait()
        self._requests.steers.is_open = False
        while tasks := [lane.task for lane in self._lanes if lane.task is not None]:
            await asyncio.wait(tasks)
        error = ConnectionExpired()
        try:
            for lane in self._lanes:
                await self._requests.steers.give_back(lane, "response_not_active", error.message)
            await self._channel.send_error(error)
            await self._channel.close()
        except WebSocketDisconnect:
            pass  # The receiver gets it too, and ends the connection.

    async def _receive(self, group: asyncio.TaskGroup) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            text: str | None = message.get("text")
            frame = await frame_of(message["bytes"] if text is None else text)
            try:
                if frame.type == STEER:
                    await self._requests.steer(frame)
                else:
                    await self._take(frame, group)
            except WebSocketDisconnect:
                return

    async def _take(self, frame: Frame, group: asyncio.TaskGroup) -> None:
        """Add a request to its lane, or reject it."""
        try:
            lane = self._admit(frame)
        except AntiphonError as error:
            await self._requests.refuse(error, frame.stream_id)
            return
        self._waiting += 1
        self._waiting_size += len(frame.content)
        lane.waiting.append(frame)
        if lane.task is None:
            lane.task = group.create_task(self._work(lane))

    def _admit(self, frame: Frame) -> Lane:
        if self._expired.is_set():
            raise ConnectionExpired
        size = self._waiting_size + len(frame.content)
        if self._waiting >= MAX_WAITING or (self._waiting and size > MAX_WAITING_SIZE):
            raise ConnectionBusy(self._waiting)
        return self._lanes.lane(frame.stream_id)

    async def _work(self, lane: Lane) -> None:
        """Handle the requests of a lane until none waits."""
        try:
            while lane.waiting:
                async with self._slots:
                    frame = lane.waiting.popleft()
                    self._waiting -= 1
                    self._waiting_size -= len(frame.content)
                    await self._requests.answer(lane, frame)
        except WebSocketDisconnect:
            pass  # The receiver gets it too, and ends the connection.
        finally:
            lane.task = None
