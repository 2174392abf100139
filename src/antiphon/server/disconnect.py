"""Stops the work on a request whose client has gone away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.types import Receive


@asynccontextmanager
async def stopped_by_disconnect(receive: Receive) -> AsyncGenerator[None, None]:
    """Cancels the block when the client closes the connection, and then ends it quietly.

    The request's body must have been read. What the block was waiting for is cancelled where it stands,
    so that connections to backends close within the same turn of the event loop.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not gone or task.uncancel() > 0:
            raise
    finally:
        watcher.cancel()
