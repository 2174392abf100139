"""A private server that must never be reached, and names with scripted addresses."""

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import httpx2

from antiphon.net.fetch import fetch
from antiphon.net.guard import Guard
from antiphon.net.transport import GuardedTransport

PARAM = "tools[0].server_url"
PUBLIC = "93.184.215.14"
"""An address that names may have; no test connects to it."""


class Canary:
    """Port of this machine that notices every connection, even one that sends nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    @property
    def is_alive(self) -> bool:
        """Whether nothing has connected so far."""
        return not select.select([self._socket], [], [], 0)[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


class Names:
    """Name server: each look-up of a name takes the next of its answers and repeats the last."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self._answers.get(host.rstrip("."))
        if not answers:
            raise OSError("not found")
        return answers.pop(0) if len(answers) > 1 else answers[0]


async def by_check(guard: Guard, url: str) -> None:
    """Check a URL before any request."""
    await guard.check(url, param=PARAM)


async def by_fetch(guard: Guard, url: str) -> None:
    """Fetch a URL, as for files and pages."""
    await fetch(guard, url, seconds=5, max_bytes=1000, param=PARAM)


async def by_transport(guard: Guard, url: str) -> None:
    """Post to a URL, as the MCP client does."""
    transport = GuardedTransport(guard, param=PARAM)
    async with httpx2.AsyncClient(transport=transport, timeout=5, follow_redirects=True) as client:
        (await client.post(url, json={})).raise_for_status()


async def by_judge(guard: Guard, url: str) -> None:
    """Judges what a backend will fetch."""
    await guard.judge(url, PARAM)


Way = Callable[[Guard, str], Awaitable[None]]
WAYS: list[Way] = [by_check, by_judge, by_fetch, by_transport]


def go(way: Way, guard: Guard, url: str) -> None:
    """Request a URL in one of the ways, and let its errors pass."""

    async def taken() -> None:
        await way(guard, url)

    asyncio.run(taken())
