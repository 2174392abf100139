"""Stops the work on a request whose client has gone away."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from starlette.types import Scope

CLIENT = "antiphon.client"
"""Where a request's `Client` stands in its scope; other servers than ours do not say who it is."""


class Client:
    """Who waits for the answer to a request.

    ASGI tells of a client that goes away only to who waits for another message; that would be a task for
    each request.
    """

    __slots__ = ("_told", "is_gone")

    def __init__(self) -> None:
        self.is_gone = False
        self._told: Callable[[], None] | None = None

    def leave(self) -> None:
        """Notes that it has gone away."""
        self.is_gone = True
        if self._told is not None:
            self._told()

    def tell(self, told: Callable[[], None] | None) -> None:
        """Calls `told` when it goes away, at once if it has gone; None calls nobody any more."""
        self._told = told
        if self.is_gone and told is not None:
            told()


class StoppedByDisconnect:
    """A block that is cancelled when the client closes the connection, and then ends quietly.

    What the block was waiting for is cancelled where it stands, so that connections to backends close within
    the same turn of the event loop. Who cancels the task itself is not kept from it: that goes on as
    `asyncio.CancelledError`.
    """

    def __init__(self, scope: Scope) -> None:
        self._client: Client = scope.get(CLIENT) or Client()
        self._is_stopped = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._client.tell(self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._client.tell(None)
        if not self._is_stopped:
            return False
        assert self._task is not None
        return self._task.uncancel() == 0 and kind is asyncio.CancelledError

    def _stop(self) -> None:
        assert self._task is not None
        self._is_stopped = True
        self._task.cancel()
