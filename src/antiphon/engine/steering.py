"""Steering: input that a client sends to a response in progress."""

from collections import deque
from typing import Protocol

from msgspec import Raw, Struct

from antiphon.wire.items import Message


class Steering(Protocol):
    """The steering input of one response, for the loop.

    The loop asks between two model calls. If input waits, the response ends as incomplete with the reason
    `steered`. Another response can then continue it with the input.
    """

    def has_input(self) -> bool:
        """Return whether input waits that the response has not seen."""
        ...


class Submission(Struct, frozen=True):
    """Accepted steering input."""

    id: str
    messages: list[Message]
    """The input as messages of the user."""
    given: Raw
    """The input as the client sent it, to be returned if it cannot be applied."""

    @property
    def size(self) -> int:
        """Bytes of the input."""
        return memoryview(self.given).nbytes


class SteerQueue:
    """Steering input in memory, in the order of submission.

    Args:
        most: Maximum number of submissions that wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Submission] = deque()

    @property
    def is_full(self) -> bool:
        """Whether `add` is not allowed."""
        return len(self._waiting) >= self._most

    @property
    def size(self) -> int:
        """Bytes of the input that waits."""
        return sum(each.size for each in self._waiting)

    def add(self, submission: Submission) -> None:
        """Add input."""
        assert not self.is_full
        self._waiting.append(submission)

    def has_input(self) -> bool:
        """Return whether input waits."""
        return bool(self._waiting)

    def take(self) -> list[Submission]:
        """Remove and return all input."""
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
