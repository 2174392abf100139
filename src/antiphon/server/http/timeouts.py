"""Waits of which most end early: one timer of the event loop serves all of one length."""

import asyncio
from collections.abc import Callable


class Alarms:
    """Calls back after `seconds`, unless it is told in time that there is no need.

    To set and to cancel a timer of the event loop for each request takes as long as to decode it. For the
    event loop that runs when the first alarm is set.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Callable[[], None], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop

    def set(self, ring: Callable[[], None]) -> None:
        """Calls `ring` once; it must not be set already."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._seconds, self._ring)
        self._due[ring] = self._loop.time() + self._seconds

    def cancel(self, ring: Callable[[], None]) -> None:
        """Does not call `ring`; it need not be set any more."""
        self._due.pop(ring, None)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        rings: list[Callable[[], None]] = []
        for ring, time in self._due.items():  # The first is due first.
            if time > now:
                self._timer = self._loop.call_at(time, self._ring)
                break
            rings.append(ring)
        for ring in rings:
            del self._due[ring]
        for ring in rings:
            ring()
