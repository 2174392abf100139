"""Coroutines that never wait, without an event loop."""

from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")


def at_once(work: Coroutine[object, None, T]) -> T:
    """Return the result of a coroutine that waits for nothing, such as work on a few items."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError("the coroutine waits")
