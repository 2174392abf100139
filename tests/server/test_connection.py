import asyncio
from collections.abc import Callable, Iterable

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from antiphon.server.connection import HttpProtocol, JoinedHeads

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire(asyncio.Transport):
    """Notes what is written together, and that it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.is_lost = False
        self.is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return self.is_lost

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.seen.append(bytes(data))

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        self.seen.append(b"".join(pieces))

    def close(self) -> None:
        self.seen.append(b"closed")


def joined(wire: Wire | None = None) -> tuple[JoinedHeads, list[bytes], list[Callable[[], None]]]:
    """Returns a connection, what it writes, and what it does in the next turn."""
    wire, later = wire or Wire(), list[Callable[[], None]]()
    return JoinedHeads(wire, later.append), wire.seen, later


def test_a_head_leaves_with_what_follows() -> None:
    connection, seen, later = joined()
    for piece in (HEAD, b"one", b"two", HEAD, b"three"):
        connection.write(piece)
    assert seen == [HEAD + b"one", b"two", HEAD + b"three"]
    for each in later:
        each()
    assert seen == [HEAD + b"one", b"two", HEAD + b"three"]


def test_a_head_that_nothing_follows_leaves_in_the_next_turn() -> None:
    connection, seen, later = joined()
    connection.write(HEAD)
    assert seen == []
    (turn,) = later
    turn()
    assert seen == [HEAD]


def test_a_head_leaves_before_the_end() -> None:
    connection, seen, later = joined()
    connection.write(HEAD)
    connection.close()
    assert seen == [HEAD, b"closed"]
    later[0]()
    assert seen == [HEAD, b"closed"]


def test_nothing_is_written_to_a_connection_that_is_lost() -> None:
    """uvloop raises then."""
    wire = Wire()
    connection, seen, later = joined(wire)
    connection.write(HEAD)
    wire.is_lost = True
    later[0]()
    connection.close()
    assert seen == [b"closed"]


def test_requests_that_come_too_early_wait_at_the_client() -> None:
    request = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    turns: list[asyncio.Future[None]] = []
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        turns.append(asyncio.get_running_loop().create_future())
        begun.set()
        await turns[-1]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def scenario() -> list[bool]:
        wire, seen = Wire(), []
        protocol = HttpProtocol(uvicorn.Config(app, lifespan="off", log_config=None), ServerState(), {})
        protocol.connection_made(wire)
        protocol.data_received(3 * request)
        for _ in range(3):
            await begun.wait()
            begun.clear()
            seen.append(wire.is_read)
            turns[-1].set_result(None)
        await asyncio.gather(*protocol.tasks)
        protocol.connection_lost(None)
        return seen

    assert asyncio.run(scenario()) == [False, False, True]
