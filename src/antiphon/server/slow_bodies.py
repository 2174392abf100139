"""Request bodies that do not come on: after a while they are given up."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.errors import RequestTimeout
from antiphon.server.stopping import Stoppable

PATIENCE = 20.0
"""Seconds that a body may be waited for: at first, and at most at any time."""
LEAST_RATE = 500.0
"""Bytes that are worth another second. Both numbers are Apache's defaults (mod_reqtimeout)."""


class SlowBodies:
    """Around an application: raises `RequestTimeout` where it reads a body that comes too slowly.

    Large bodies may take as long as they need, while they come on. What does not count is the time in which
    nobody reads.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] != "GET":
            receive = _Patience(receive).receive
        await self.app(scope, receive, send)


class _Patience:
    """Counts down while a body is waited for, and up with what comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._seconds = PATIENCE
        self._is_read = False

    async def receive(self) -> Message:
        if self._is_read:  # From here on it is waited for the client to go away.
            return await self._receive()
        loop = asyncio.get_running_loop()
        began = loop.time()
        with Stoppable() as block:
            timer = loop.call_later(self._seconds, block.stop)
            try:
                message = await self._receive()
            finally:
                timer.cancel()
        if block.is_stopped:
            raise RequestTimeout
        self._is_read = not message.get("more_body", False)
        left = self._seconds - (loop.time() - began) + len(message.get("body", b"")) / LEAST_RATE
        self._seconds = min(PATIENCE, left)
        return message
