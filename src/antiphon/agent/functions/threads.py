"""Functions in threads that don't keep the process alive."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """Value of a function, or the exception that it raised."""

    value: T | None = None
    error: BaseException | None = None

    def get(self) -> T:
        """Return the value, or raise the exception."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # A function that returns None has T=None.


def in_thread(function: Callable[[], T]) -> "Future[Outcome[T]]":
    """Call a function in a new thread, with the current context variables.

    The exception is part of the result, because a future can't raise `StopIteration`. The interpreter waits
    at its end for the threads of an executor, even for a tool that hangs, but not for these.
    """
    future: Future[Outcome[T]] = Future()
    future.set_running_or_notify_cancel()
    context = copy_context()

    def work() -> None:
        try:
            outcome = Outcome(value=context.run(function))
        except BaseException as error:  # noqa: BLE001 - a tool that calls `sys.exit` ends only itself
            outcome = Outcome(error=error)
        future.set_result(outcome)

    threading.Thread(target=work, name="antiphon-agent", daemon=True).start()
    return future
