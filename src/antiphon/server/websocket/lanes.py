"""Lanes of a connection: queues of requests, and the latest response of each."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from antiphon.engine.steering import Submission
from antiphon.server.websocket.errors import StreamLimitReached
from antiphon.server.websocket.frames import Frame
from antiphon.service.responses.gather import Turn

MAX_LANES = 32
"""Named lanes of one connection, as at api.openai.com."""
MAX_KEPT = 64 * 1024 * 1024
"""Size limit in bytes of the responses in memory, with their contexts, of one connection."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Pending:
    """Steering input that waits for the request that continues a response."""

    response_id: str
    submissions: list[Submission]


@dataclass(eq=False, slots=True)
class Lane:
    """Requests with the same `stream_id`, which the server handles one after another."""

    stream_id: str | None
    """None for the default lane."""
    waiting: deque[Frame] = field(default_factory=deque)
    """Requests that the server has not begun to handle."""
    task: asyncio.Task[None] | None = None
    """The work on the requests; None if there are none."""
    pending: Pending | None = None
    """Steering input for the continuation of a response of this lane."""
    latest: Turn | None = None
    """The newest response, which a request can continue even if it isn't stored."""
    size: int = 0
    """Bytes of `latest` with its context."""
    number: int = 0
    """The sequence number of the event that was sent last."""
    added: int = 0
    """Events about steering among those of the current response."""

    def forget(self, response_id: str | None) -> None:
        """Drop the newest response if it has this ID."""
        if self.latest is not None and self.latest.response_id == response_id:
            self.latest, self.size = None, 0


class Lanes:
    """The lanes of one connection."""

    def __init__(self) -> None:
        self._lanes: dict[str | None, Lane] = {None: Lane(None)}
        self._kept: list[Lane] = []
        """The lanes with a response in memory; the one with the newest response is the last."""

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes.values())

    def lane(self, stream_id: str | None) -> Lane:
        """Return a lane, which may be new.

        Raises:
            StreamLimitReached: There are too many named lanes for a new one.
        """
        lane = self._lanes.get(stream_id)
        if lane is None:
            if len(self._lanes) > MAX_LANES:
                raise StreamLimitReached(MAX_LANES)
            lane = self._lanes[stream_id] = Lane(stream_id)
        return lane

    def with_response(self, response_id: str | None) -> Lane | None:
        """Return a lane whose newest response has this ID; None if no lane keeps it."""
        found = (each for each in self._kept if each.latest and each.latest.response_id == response_id)
        return next(found, None) if response_id is not None else None

    def keep(self, lane: Lane, turn: Turn, parent: Turn | None, size: int) -> None:
        """Keep the newest response of a lane, and drop the oldest responses that exceed the limit.

        Args:
            lane: The lane.
            turn: The response.
            parent: The response that it continues, if that is in memory.
            size: Bytes of `parent`.
        """
        is_longer = parent is not None and len(turn.items) >= len(parent.items)
        first = len(parent.items) if parent is not None and is_longer else 0
        lane.latest = turn
        lane.size = (size if is_longer else 0) + sum(len(_encode(item)) for item in turn.items[first:])
        self._kept = [each for each in self._kept if each is not lane and each.latest is not None] + [lane]
        total = sum(each.size for each in self._kept)
        for each in self._kept:
            if total <= MAX_KEPT:
                break
            total -= each.size
            each.latest, each.size = None, 0
