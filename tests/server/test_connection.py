import asyncio
from collections.abc import Callable, Iterable

from antiphon.server.connection import JoinedHeads

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Wire(asyncio.Transport):
    """Notes what is written together, and that it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.is_lost = False

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
