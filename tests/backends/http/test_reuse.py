"""Reused connections, which carry only the response to the next request."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from antiphon.backends.http import client as http_client
from antiphon.backends.http.answer import Answer, Timeouts
from antiphon.backends.http.client import HttpClient
from antiphon.backends.http.errors import Cut, NotHttp, Unanswered
from antiphon.backends.http.target import Target, target
from bench.unruly import HABITS, Backend, Habit, Ours, measured

T = TypeVar("T")
_TIMEOUTS = Timeouts(5, 5, 5)


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_REST", 0.0)


def answer(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


@dataclass
class Script:
    """Script of the server for one request."""

    answer: bytes
    after: bytes = b""
    """Sent after `go`, so that it isn't in the same read as the answer."""
    closes: bool = False
    """Whether the server then closes the connection."""


@dataclass
class Server:
    """Server in a thread, which runs while the client's event loop doesn't."""

    scripts: Sequence[Script]
    requests: list[int] = field(default_factory=list)
    """For each request, the number of its connection."""

    def __post_init__(self) -> None:
        self.go = threading.Event()
        self.done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._left = list(self.scripts)
        self._threads: list[threading.Thread] = []

    @property
    def to(self) -> Target:
        return target("POST", f"http://127.0.0.1:{self._listener.getsockname()[1]}/")

    def run(self) -> None:
        """Accept connections until the listener is closed."""
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection, number))
            self._threads.append(thread)
            thread.start()
            number += 1

    def close(self) -> None:
        self.go.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection:
            try:
                while self._left and b"\r\n\r\n" in connection.recv(65536):
                    self.requests.append(number)
                    script = self._left.pop(0)
                    connection.sendall(script.answer)
                    if script.after or script.closes:
                        assert self.go.wait(5)
                    if script.after:
                        connection.sendall(script.after)
                    if script.closes:
                        break
                    if script.after:
                        self.done.set()
            except OSError:  # The client has closed the connection.
                pass
        self.done.set()

    def misbehave(self) -> None:
        """Let the server run the rest of a script, while no event loop runs in this thread."""
        self.go.set()
        assert self.done.wait(5)


def talk(scripts: Sequence[Script], call: Callable[[HttpClient, Server], Awaitable[T]]) -> T:
    server = Server(scripts)
    accepting = threading.Thread(target=server.run)
    accepting.start()

    async def run() -> T:
        client = HttpClient()
        try:
            return await call(client, server)
        finally:
            await client.close()

    try:
        return asyncio.run(run())
    finally:
        server.close()
        accepting.join()


async def text(client: HttpClient, server: Server) -> str:
    response = await client.request(server.to, b"", _TIMEOUTS)
    pieces = []
    while data := await response.read():
        pieces.append(data)
    await response.close()
    return b"".join(pieces).decode()


@pytest.mark.parametrize(
    "first",
    [
        Script(answer("1"), closes=True),
        Script(answer("1"), after=b"junk"),
        Script(answer("1"), after=answer("another")),
    ],
    ids=["closed", "junk", "a second response"],
)
def test_a_kept_connection_is_looked_at_before_its_use(first: Script) -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        assert await text(client, server) == "1"
        server.misbehave()
        assert await text(client, server) == "2"
        return server.requests

    # The event loop had no time to notice it, so the client checked the connection itself.
    assert talk([first, Script(answer("2"))], call) == [0, 1]


def test_a_request_is_sent_again_if_its_kept_connection_ends_without_a_byte() -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        server.go.set()
        assert await text(client, server) == "1"
        assert await text(client, server) == "2"
        return server.requests

    assert talk([Script(answer("1")), Script(b"", closes=True), Script(answer("2"))], call) == [0, 0, 1]


def test_it_is_sent_again_only_once() -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        server.go.set()
        assert await text(client, server) == "1"
        with pytest.raises(Unanswered):
            await text(client, server)
        return server.requests

    gone = Script(b"", closes=True)
    assert talk([Script(answer("1")), gone, gone, Script(answer("never"))], call) == [0, 0, 1]


def test_a_new_connection_that_ends_is_an_error() -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        server.go.set()
        with pytest.raises(Unanswered):
            await text(client, server)
        return server.requests

    assert talk([Script(b"", closes=True), Script(answer("never"))], call) == [0]


def test_a_response_that_has_begun_is_not_asked_for_again() -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        server.go.set()
        assert await text(client, server) == "1"
        with pytest.raises(Cut):
            await text(client, server)
        return server.requests

    scripts = [Script(answer("1")), Script(b"HTTP/1.1 2", closes=True), Script(answer("never"))]
    assert talk(scripts, call) == [0, 0]


def test_data_before_the_request_is_no_response_to_it() -> None:
    async def call(client: HttpClient, server: Server) -> None:
        assert await text(client, server) == "1"
        kept = client._take(server.to.origin)
        assert kept is not None
        response = Answer(kept, _TIMEOUTS)
        kept.send(response, [b"POST / HTTP/1.1\r\n\r\n"], 5)
        kept.data_received(answer("another"))  # The request leaves in the loop's next iteration.
        with pytest.raises(Unanswered):
            await response.head()
        assert await text(client, server) == "2"

    talk([Script(answer("1")), Script(answer("2"))], call)


def test_a_connection_rests_before_its_next_use(monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        monkeypatch.setattr(http_client, "_REST", 60.0)
        assert [await text(client, server), await text(client, server)] == ["1", "2"]
        monkeypatch.setattr(http_client, "_REST", 0.0)
        assert await text(client, server) == "3"
        return server.requests

    # Of the connections that have rested long enough, the latest one is used.
    assert talk([Script(answer(name)) for name in "123"], call) == [0, 1, 1]


@pytest.mark.parametrize("surplus", [b"junk", answer("another")])
def test_a_server_that_sends_too_much_gets_no_connection_twice(
    surplus: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        assert [await text(client, server) for _ in range(3)] == ["1", "2", "3"]
        monkeypatch.setattr(asyncio.get_running_loop(), "time", later(asyncio.get_running_loop(), 61.0))
        assert [await text(client, server), await text(client, server)] == ["4", "5"]
        return server.requests

    scripts = [Script(answer("1") + surplus), *(Script(answer(name)) for name in "2345")]
    # After a minute, connections are kept again.
    assert talk(scripts, call) == [0, 1, 2, 3, 3]
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [
        "Received data that answers no request, using each connection once"
    ]


def later(loop: asyncio.AbstractEventLoop, seconds: float) -> Callable[[], float]:
    now = loop.time
    return lambda: now() + seconds


def test_what_is_no_http_on_a_kept_connection_ends_all_of_them() -> None:
    async def call(client: HttpClient, server: Server) -> list[int]:
        assert await text(client, server) == "1"
        with pytest.raises(NotHttp):
            await text(client, server)
        assert [await text(client, server), await text(client, server)] == ["2", "3"]
        return server.requests

    scripts = [Script(answer("1")), Script(b"junk"), Script(answer("2")), Script(answer("3"))]
    assert talk(scripts, call) == [0, 0, 1, 2]


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.002])
@pytest.mark.parametrize("habit", HABITS)
def test_no_request_gets_the_response_of_another(
    habit: Habit, delay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "_REST", 0.05)  # More than in operation, for busy machines.
    found = asyncio.run(measured(Ours, Backend(habit, delay), requests=160, clients=16))
    assert (found.wrong, found.failed, found.twice) == (0, 0, 0)
