"""Blocks of code that something outside of them can end."""

import asyncio
from types import TracebackType
from typing import Self


class Stoppable:
    """A block that `stop` cancels where it stands; it then ends quietly, and `is_stopped` tells of it.

    Who cancels the task itself is not kept from it: that goes on as `asyncio.CancelledError`.
    """

    is_stopped = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    def stop(self) -> None:
        """Cancels what the block waits for."""
        assert self._task is not None
        self.is_stopped = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not self.is_stopped:
            return False
        assert self._task is not None
        return self._task.uncancel() == 0 and kind is asyncio.CancelledError
