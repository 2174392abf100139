"""A fast closed-loop client: each connection sends one request after another."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import cast

_DELTA = b'"type":"response.output_text.delta"'
_DELTA_SPACED = b'"type": "response.output_text.delta"'


@dataclass
class Load:
    """The load on a server."""

    port: int
    """The port of the server."""
    bodies: list[bytes]
    """The request bodies, used in turn."""
    clients: int
    """The number of connections."""
    seconds: float = 0.0
    """Duration in which new requests are sent; 0 sends one per connection."""
    headers: bytes = b""
    """More header lines of each request."""
    method: bytes = b"POST"
    """The HTTP method."""
    path: bytes = b"/v1/responses"
    """The path of the request."""
    expected: bytes = b'completed"'
    """Required part of each response; the run stops without it."""
    spread: float = 0.0
    """Seconds over which the connections begin, so that they don't run in step."""
    hold: float = 0.0
    """Seconds of measurement for deltas that are timestamps; 0 for other loads.

    The measurement, also of how late deltas arrive, begins once every connection has had a delta. At its end
    all connections are closed.
    """
    lateness_after: bytes = b'"delta":"'
    """The bytes before a timestamp."""


@dataclass
class Figures:
    """The measured values; times are in seconds."""

    latencies: list[float] = field(default_factory=list)
    """The time of each response."""
    first_deltas: list[float] = field(default_factory=list)
    """The time to the first delta of each response."""
    events: int = 0
    """The number of events."""
    lateness: list[float] = field(default_factory=list)
    """The lateness of each delta."""
    seconds: float = 0.0
    """The duration of the measurement."""
    cpu: float = 0.0
    """The server's CPU time in this duration."""
    peak: int = 0
    """The server's peak resident bytes."""
    last_answer: bytes = b""
    """The last response, with its headers."""

    @property
    def rate(self) -> float:
        """Responses per second."""
        return len(self.latencies) / self.seconds


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load, figures: Figures, number: int) -> None:
        self._load = load
        self._figures = figures
        self._turn = number
        self._until = time.monotonic() + load.seconds
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun = asyncio.Event()
        """Set by the first timestamp, and at the end."""
        self._answer = bytearray()
        self._length: int | None = None
        self._began = 0.0
        self._first: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail unless the load is complete."""
        self.begun.set()
        if not self.done.done():
            self.done.set_exception(SystemExit(f"the connection was lost: {bytes(self._answer[-500:])!r}"))

    def data_received(self, data: bytes) -> None:
        """Parse a part of the response."""
        answer = self._answer
        answer += data
        if self._first is None and (_DELTA in data or _DELTA_SPACED in data):
            self._first = time.monotonic()
        if self._load.hold:
            self._measure_lateness(data)
        if self._length is None:
            end = answer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(answer[:end]).lower()
            _, found, rest = head.partition(b"content-length:")
            self._length = end + 4 + int(rest.split(b"\r\n")[0]) if found else -1
        if len(answer) >= self._length if self._length >= 0 else answer.endswith(b"0\r\n\r\n"):
            self._finished()

    def end(self) -> None:
        """Close the connection, even in the middle of a response."""
        if not self.done.done():
            self.done.set_result(None)
            self._transport.abort()

    def _measure_lateness(self, data: bytes) -> None:
        now = time.monotonic_ns()
        for piece in data.split(self._load.lateness_after)[1:]:
            sent = piece[:24].partition(b" ")[0]
            if sent.isdigit():
                self._figures.lateness.append((now - int(sent)) / 1e9)
                self.begun.set()

    def _send(self) -> None:
        load = self._load
        body = load.bodies[self._turn % len(load.bodies)]
        self._turn += 1
        self._answer, self._length, self._first = bytearray(), None, None
        self._began = time.monotonic()
        self._transport.write(
            b"%s %s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n%s"
            b"content-length: %d\r\n\r\n%s" % (load.method, load.path, load.headers, len(body), body)
        )

    def _finished(self) -> None:
        now, figures = time.monotonic(), self._figures
        answer = bytes(self._answer)
        if not answer.startswith(b"HTTP/1.1 200") or self._load.expected not in answer:
            self.done.set_exception(SystemExit(f"unexpected response: {answer[-3000:]!r}"))
            self._transport.abort()
            return
        figures.latencies.append(now - self._began)
        if self._first is not None:
            figures.first_deltas.append(self._first - self._began)
        figures.events += answer.count(b"data: ")
        figures.last_answer = answer
        if now < self._until:
            self._send()
        else:
            self.done.set_result(None)
            self._transport.close()


def _same(connection: _Connection) -> _Connection:
    return connection


async def run(load: Load, cpu: Callable[[], float]) -> Figures:
    """Run the load and return the figures; `cpu` returns the server's CPU time."""
    figures = Figures()
    began, before = time.monotonic(), cpu()
    connections = await _connected(load, figures)
    if load.hold:
        await asyncio.gather(*(connection.begun.wait() for connection in connections))
        began, before = time.monotonic(), cpu()
        figures.lateness.clear()
        await asyncio.sleep(load.hold)
        for connection in connections:
            connection.end()
    await asyncio.gather(*(connection.done for connection in connections))
    figures.seconds, figures.cpu = time.monotonic() - began, cpu() - before
    return figures


async def _connected(load: Load, figures: Figures) -> list[_Connection]:
    """Open the connections, each of which begins at once."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    connections: list[_Connection] = []
    for number in range(load.clients):
        connection = _Connection(load, figures, number)
        await loop.create_connection(partial(_same, connection), "127.0.0.1", load.port)
        connections.append(connection)
        if load.spread:
            await asyncio.sleep(began + load.spread * len(connections) / load.clients - time.monotonic())
    return connections


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def deltas(answer: bytes) -> str:
    """Return the joined text deltas of a streamed response."""
    body = b"".join(_chunks(answer))
    lines = (line[6:] for line in body.split(b"\n") if line.startswith(b"data: {"))
    events = (json.loads(line) for line in lines)
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def _chunks(answer: bytes) -> Iterator[bytes]:
    """Yield the contents of a response's HTTP chunks."""
    rest = answer.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        yield rest[:length]
        rest = rest[length + 2 :]
