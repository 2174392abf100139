"""The latest events of a response that this process executes, for its readers here."""

from collections import deque

_MOST_BYTES = 256 * 1024
"""Size of the events that are kept; readers take older ones from the database."""


class Tail:
    """The events that an execution has committed, as far as they fit.

    Args:
        first: The sequence number of the next event.
    """

    def __init__(self, first: int) -> None:
        self.is_open = True
        """Whether the execution goes on; after it, the database has the rest."""
        self.has_ended = False
        """Whether the last event of the response is here."""
        self._first = first
        self._events: deque[bytes] = deque()
        self._size = 0

    def add(self, events: list[bytes], *, are_last: bool = False) -> None:
        """Add events that were committed."""
        self._events.extend(events)
        self._size += sum(map(len, events))
        self.has_ended = are_last
        while self._size > _MOST_BYTES:
            self._size -= len(self._events.popleft())
            self._first += 1

    def after(self, number: int) -> list[bytes] | None:
        """Return the events after the one with a number; None if some of them are not here."""
        start = number + 1 - self._first
        if start < 0 or not (self.is_open or self.has_ended):
            return None
        return list(self._events)[start:]
