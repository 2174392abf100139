"""Places for the lines of batches that run at the same time."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from msgspec import Struct

_AGAIN = 0.1
"""Seconds between two looks for a free place while other calls use the backends."""


class LineLimits(Struct, frozen=True, kw_only=True):
    """The most lines that one server runs at the same time."""

    per_process: int = 8
    """Lines of all batches."""
    per_owner: int = 8
    """Lines of one owner."""
    per_backend: int = 8
    """Lines that use one backend."""


class _Waiter(Struct, eq=False):
    owner: str
    backend: str
    admitted: asyncio.Future[None]


class Slots:
    """The places of one server.

    Requests of clients and background responses come first: each of their model calls takes one place, except
    the last one. The next place is for the owner with the fewest lines, so that no owner waits for all lines
    of another.

    Args:
        limits: The limits.
        calls_in_progress: Returns the number of model calls of this server, with those of lines.
    """

    def __init__(self, limits: LineLimits, calls_in_progress: Callable[[], int]) -> None:
        self._limits = limits
        self._calls_in_progress = calls_in_progress
        self._waiting: deque[_Waiter] = deque()
        self._by_owner: Counter[str] = Counter()
        self._by_backend: Counter[str] = Counter()
        self._again: asyncio.TimerHandle | None = None

    async def take(self, owner: str, backend: str) -> None:
        """Wait for a place; return it with `give_back`."""
        waiter = _Waiter(owner, backend, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._admit()
        try:
            await waiter.admitted
        except asyncio.CancelledError:
            if waiter.admitted.done() and not waiter.admitted.cancelled():
                self.give_back(owner, backend)
            else:
                self._waiting.remove(waiter)
            raise

    def give_back(self, owner: str, backend: str) -> None:
        """Give a place to the next line."""
        self._by_owner[owner] -= 1
        self._by_backend[backend] -= 1
        # This removes entries of zero.
        self._by_owner += Counter()
        self._by_backend += Counter()
        self._admit()

    def _admit(self) -> None:
        while self._waiting and (waiter := self._next()) is not None:
            running = self._by_owner.total()
            others = max(0, self._calls_in_progress() - running)
            if running >= max(1, self._limits.per_process - others):
                break
            self._waiting.remove(waiter)
            self._by_owner[waiter.owner] += 1
            self._by_backend[waiter.backend] += 1
            waiter.admitted.set_result(None)
        if self._waiting and self._again is None:
            self._again = asyncio.get_running_loop().call_later(_AGAIN, self._look_again)

    def _next(self) -> _Waiter | None:
        fit = [
            waiter
            for waiter in self._waiting
            if not waiter.admitted.cancelled()
            and self._by_owner[waiter.owner] < self._limits.per_owner
            and self._by_backend[waiter.backend] < self._limits.per_backend
        ]
        return min(fit, key=lambda waiter: self._by_owner[waiter.owner], default=None)

    def _look_again(self) -> None:
        self._again = None
        self._admit()
