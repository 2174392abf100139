"""Stops the work on a request whose client has gone away."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope

from antiphon.server.alarms import Alarms
from antiphon.server.stopping import Stoppable

UNWATCHED = 0.02
"""Seconds of a block in which nobody looks: most answers are there before a task for it would pay."""


class StoppedByDisconnect(Stoppable):
    """A block that is cancelled when the client closes the connection, and then ends quietly.

    The request's body must have been read. What the block was waiting for is cancelled where it stands,
    so that connections to backends close within the same turn of the event loop.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._unwatched: Alarms = scope["app"].state.unwatched
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._unwatched.set(self._begin)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._unwatched.cancel(self._begin)
        if self._watcher is not None:
            self._watcher.cancel()
        return super().__exit__(kind, error, traceback)

    def _begin(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.stop()
