"""CPU time of our HTTP client for a streamed backend call, compared with aiohttp.

Usage: `python -m bench.upstream`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import uvloop

from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.client import HttpClient
from antiphon.backends.http.target import target
from bench.servers import stub

_CALLS = 400
_AT_ONCE = 8
_BODY = b'{"model":"burst-200","messages":[],"stream":true}'
_TIMEOUTS = Timeouts(10, 60, 60)


async def _measured(call: Callable[[], Awaitable[None]]) -> float:
    """Return the lowest CPU time per call of five rounds, in microseconds."""

    async def calls() -> None:
        for _ in range(_CALLS // _AT_ONCE):
            await call()

    rounds = []
    for _ in range(5):
        began = time.process_time()
        await asyncio.gather(*(calls() for _ in range(_AT_ONCE)))
        rounds.append((time.process_time() - began) / _CALLS)
    return min(rounds) * 1e6


async def main(url: str) -> None:
    """Print the figures of both clients."""
    client = HttpClient()
    headers = {"Content-Type": "application/json"}
    to = target("POST", url, tuple(headers.items()))

    async def ours() -> None:
        answer = await client.request(to, _BODY, _TIMEOUTS)
        while await answer.read():
            pass

    print(f"antiphon.backends.http.client   {await _measured(ours):6.0f} µs")
    await client.close()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def theirs() -> None:
            async with session.post(url, data=_BODY, headers=headers) as answer:
                while await answer.content.readany():
                    pass

        print(f"aiohttp                {await _measured(theirs):6.0f} µs")


if __name__ == "__main__":
    with stub() as port:
        uvloop.run(main(f"http://127.0.0.1:{port}/v1/chat/completions"))
