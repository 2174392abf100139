"""Short polls for responses that other processes execute, while no notices of them arrive."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from antiphon.durable.signals import Signals
from antiphon.errors import AntiphonError

log = logging.getLogger(__name__)

_INTERVAL = 0.05
"""Seconds between two polls."""

Progress = Callable[[Collection[str]], Awaitable[Mapping[str, int]]]
"""Returns a number for each response, which changes with its events."""


class Poller:
    """Wakes those that wait for responses of other processes: one query for all of them.

    It works only while somebody waits: `begin` begins it.

    Args:
        signals: The wake-ups of this process.
        progress: Returns the progress of responses.
        is_needed: Returns whether nothing else wakes those that wait for a response.
    """

    def __init__(self, signals: Signals, progress: Progress, is_needed: Callable[[str], bool]) -> None:
        self._signals = signals
        self._progress = progress
        self._is_needed = is_needed
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Poll as long as somebody waits."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    def close(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        known: Mapping[str, int] = {}
        while waited_for := [run_id for run_id in self._signals.waited_for() if self._is_needed(run_id)]:
            try:
                found = await self._progress(waited_for)
            except AntiphonError as error:
                log.error("Failed to look for events of background responses: %s", error.message)
                found = {}
            for run_id in waited_for:
                if known.get(run_id) != found.get(run_id):
                    self._signals.wake(run_id)
            known = found
            await asyncio.sleep(_INTERVAL)
