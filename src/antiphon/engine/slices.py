"""Long work in slices or in a thread, while the event loop serves others."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

SLICE = 256
"""Items in a slice: one or two milliseconds of work, for which nobody waits in vain."""


async def mapped(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return the results of `work` for each item, made in slices."""
    if len(items) <= SLICE:
        return [work(item) for item in items]
    results: list[R] = []
    await in_slices(lambda some: results.extend(map(work, some)), items)
    return results


async def in_slices(work: Callable[[Sequence[T]], object], items: Sequence[T]) -> None:
    """Call `work` with one slice of `items` after another; few items are one slice."""
    if len(items) <= SLICE:
        work(items)
        return
    for start in range(0, len(items), SLICE):
        work(items[start : start + SLICE])
        await asyncio.sleep(0)


async def in_thread(work: Callable[[], R]) -> R:
    """Return the result of `work`, done by a thread.

    A cancelled task waits until the thread has ended. The locks that it holds therefore protect the work.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()
