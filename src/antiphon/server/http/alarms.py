"""Time limits of connections."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from copy import copy
from functools import cached_property

log = logging.getLogger("antiphon.server")

_KEEP_ALIVE = 75
"""Seconds that a connection stays open without a request."""
_STOPPING = 0.2
"""Seconds in which a stopping server still receives a request over an open connection."""
_LINGER = 30
"""Seconds in which the rest of a request may arrive after its response, as nginx's `lingering_time`."""
_HALF_CLOSED = 0.25
"""Seconds in which a client that has closed its sending side still gets responses."""


class Alarms:
    """Callbacks that run after some seconds unless they are cancelled before.

    The alarms belong to the event loop that runs when the first alarm is set.
    """

    # Setting and canceling a timer of the event loop per request takes as long as decoding the request.

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Callable[[], None], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop

    def set(self, ring: Callable[[], None]) -> None:
        """Set an alarm that calls `ring`, which must not have another alarm."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(self._seconds, self._ring)
        self._due[ring] = self._loop.time() + self._seconds

    def cancel(self, ring: Callable[[], None]) -> None:
        """Cancel the alarm of `ring`, if it still has one."""
        self._due.pop(ring, None)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        rings: list[Callable[[], None]] = []
        for ring, time in self._due.items():  # In the order of their times.
            if time > now:
                self._timer = self._loop.call_at(time, self._ring)
                break
            rings.append(ring)
        for ring in rings:
            del self._due[ring]
        for ring in rings:
            ring()


class Timers:
    """Alarms of all connections of one server, one kind for each time limit."""

    is_stopping = False
    """Whether no connection stays open for another request."""

    def __init__(self, send_timeout: float) -> None:
        self.idle = Alarms(_KEEP_ALIVE)
        self.linger = Alarms(_LINGER)
        self.half_closed = Alarms(_HALF_CLOSED)
        self.send = Alarms(send_timeout)

    @cached_property
    def stopping(self) -> "Timers":
        """The alarms of the same connections once their server stops."""
        timers = copy(self)
        timers.is_stopping = True
        timers.idle = Alarms(_STOPPING)
        return timers

    def cancel(self, ring: Callable[[], None]) -> None:
        """Cancel the alarms of `ring`, except that for sending."""
        for alarms in (self.idle, self.linger, self.half_closed):
            alarms.cancel(ring)


class SendTimeout:
    """Aborts a connection whose client reads none of the data that waits for it."""

    __slots__ = ("_alarms", "_transport", "_unsent")

    def __init__(self, alarms: Alarms, transport: asyncio.Transport) -> None:
        self._alarms = alarms
        self._transport = transport
        self._unsent = 0

    def begin(self) -> None:
        """Begin the time limit again, if data waits for the client."""
        self.end()
        self._unsent = self._transport.get_write_buffer_size()
        if self._unsent:
            self._alarms.set(self._ring)

    def end(self) -> None:
        """End the time limit."""
        self._alarms.cancel(self._ring)

    def _ring(self) -> None:
        if self._transport.get_write_buffer_size() < self._unsent:
            self.begin()
        else:
            log.warning("Closed a connection whose client read nothing within send_timeout")
            connection = self._transport.get_extra_info("socket")
            if connection is not None:  # A reset: otherwise, the kernel keeps the data for the client.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
