"""Writes to a connection that wait for the event loop's next iteration."""

import asyncio


class DeferredWrites:
    """Data that leaves together, in the event loop's next iteration or at once.

    The first write of a burst wakes the receiving process, which takes longer than all other work for a
    request. Deferred writes follow each other directly, after the other work of an iteration.
    """

    __slots__ = ("_loop", "_pieces", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._pieces: list[bytes] = []

    @property
    def is_empty(self) -> bool:
        """Whether no data waits."""
        return not self._pieces

    def add(self, pieces: list[bytes], *, at_once: bool = False) -> None:
        """Write `pieces` after all data that waits, in the next iteration or at once."""
        if not (self._pieces or at_once):
            self._loop.call_soon(self.flush)
        self._pieces += pieces
        if at_once:
            self.flush()

    def flush(self) -> None:
        """Write all data that waits; drop it if the connection is closing."""
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            if not self._transport.is_closing():  # uvloop raises then.
                self._transport.writelines(pieces)
