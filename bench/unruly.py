"""Backends that close connections or send too much after a response, and the mistakes of clients.

    python -m bench.unruly [--requests 1500] [--clients 16] [--peers]

Each request has its own word, which the backend returns. A row has the requests that got the word of another
one, those that failed, those that the backend got twice, and the connections. With `--peers`, aiohttp and
httpx2 get the same load. The delays are in milliseconds after the response. The exit status is 1 if our
client has wrong requests, or failed ones with a delay below the rest of its connections. Junk that comes
later fails the requests that are in progress, until the client notices the first.
"""

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
import httpx2
import uvloop

from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.client import HttpClient
from antiphon.backends.http.errors import HttpError
from antiphon.backends.http.target import target

Habit = Literal["closes the connection", "sends junk", "sends a second response to 30 %"]
"""The conduct of a backend after each response."""
HABITS: tuple[Habit, ...] = ("closes the connection", "sends junk", "sends a second response to 30 %")
DELAYS = (0.0, 0.5, 2.0, 20.0)
_REST = 10.0
"""Milliseconds that our client leaves a connection alone."""
_TIMEOUTS = Timeouts(10, 10, 10)

Call = Callable[[str], Awaitable[str]]
"""A function that sends a word and returns the word of the response."""


@dataclass
class Backend:
    """A backend that returns the body of each request, and then misbehaves."""

    habit: Habit
    delay: float
    """Seconds between a response and the misbehavior."""
    seed: int = 1
    connections: int = 0
    words: Counter[str] = field(default_factory=Counter)
    """The words so far, with the number of their requests."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                word = await reader.readexactly(size)
                self.words[word.decode()] += 1
                writer.write(_response(word))
                if self.delay:
                    await asyncio.sleep(self.delay)
                if self.habit == "closes the connection" or writer.is_closing():
                    return
                if self.habit == "sends junk":
                    writer.write(b"junk\r\n")
                elif self._random.random() < 0.3:
                    writer.write(_response(b"another response than that to " + word))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def _response(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass
class Outcome:
    """The figures of one row."""

    wrong: int = 0
    """Requests with another response than theirs."""
    failed: int = 0
    """Requests without a response."""
    twice: int = 0
    """Requests that the backend got more than once."""
    connections: int = 0
    """Connections to the backend."""


async def measured(client: "type[Client]", backend: Backend, *, requests: int, clients: int) -> Outcome:
    """Send the requests of all clients, and count their outcomes."""
    outcome = Outcome()

    async def calls(number: int, call: Call) -> None:
        for turn in range(requests // clients):
            word = f"word-{number}-{turn}"
            try:
                outcome.wrong += await call(word) != word
            except (HttpError, aiohttp.ClientError, httpx2.HTTPError):
                outcome.failed += 1

    async with await asyncio.start_server(backend.serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with client(url) as call:
            await asyncio.gather(*(calls(number, call) for number in range(clients)))
    outcome.twice = sum(count > 1 for count in backend.words.values())
    outcome.connections = backend.connections
    return outcome


class Client:
    """A client of this comparison: an asynchronous context with a `Call`."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Call:
        raise NotImplementedError

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError


class Ours(Client):
    """The client of this project."""

    async def __aenter__(self) -> Call:
        self._client = HttpClient()
        to = target("POST", self.url)

        async def call(word: str) -> str:
            answer = await self._client.request(to, word.encode(), _TIMEOUTS)
            pieces = []
            while data := await answer.read():
                pieces.append(data)
            await answer.close()
            return b"".join(pieces).decode()

        return call

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


class Aiohttp(Client):
    """aiohttp."""

    async def __aenter__(self) -> Call:
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

        async def call(word: str) -> str:
            async with self._client.post(self.url, data=word.encode()) as response:
                return await response.text()

        return call

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


class Httpx(Client):
    """httpx2."""

    async def __aenter__(self) -> Call:
        self._client = httpx2.AsyncClient(trust_env=False)

        async def call(word: str) -> str:
            return (await self._client.post(self.url, content=word.encode())).text

        return call

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


async def _tables(options: argparse.Namespace) -> bool:
    """Print a table for each habit; return whether our client made no mistake."""
    kinds: list[tuple[str, type[Client]]] = [("antiphon", Ours)]
    if options.peers:
        kinds += [("aiohttp", Aiohttp), ("httpx2", Httpx)]
    is_right = True
    for habit in HABITS:
        print(f"\nThe backend {habit}, {options.requests} requests, {options.clients} clients")
        print(f"{'client':10}{'delay':>8}{'wrong':>8}{'failed':>8}{'twice':>8}{'connections':>13}")
        for name, kind in kinds:
            for delay in DELAYS:
                backend = Backend(habit, delay / 1000)
                found = await measured(kind, backend, requests=options.requests, clients=options.clients)
                figures = f"{found.wrong:8}{found.failed:8}{found.twice:8}{found.connections:13}"
                print(f"{name:10}{delay:>5g} ms{figures}", flush=True)
                if kind is Ours:
                    is_right = is_right and not (found.wrong or (found.failed and delay < _REST))
    return is_right


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--peers", action="store_true")
    sys.exit(not uvloop.run(_tables(parser.parse_args())))


if __name__ == "__main__":
    main()
