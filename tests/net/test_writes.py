import asyncio
from collections.abc import Callable

import pytest

from antiphon.net.writes import DeferredWrites


class Wire(asyncio.Transport):
    """Transport that keeps each write as one byte string."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.is_closed = False

    def is_closing(self) -> bool:
        return self.is_closed

    def writelines(self, pieces: object) -> None:
        assert isinstance(pieces, list)
        self.seen.append(b"".join(pieces))


def after_a_turn(act: Callable[[DeferredWrites, Wire], None]) -> list[bytes]:
    """Return what a transport received from `act` by the event loop's next turn."""

    async def run() -> list[bytes]:
        wire = Wire()
        act(DeferredWrites(asyncio.get_running_loop(), wire), wire)
        await asyncio.sleep(0)
        return wire.seen

    return asyncio.run(run())


def test_data_leaves_together_in_the_next_turn() -> None:
    def act(writes: DeferredWrites, wire: Wire) -> None:
        writes.add([b"a"])
        writes.add([b"b", b"c"])
        assert (wire.seen, writes.is_empty) == ([], False)

    assert after_a_turn(act) == [b"abc"]


def test_data_that_leaves_at_once_takes_along_data_that_waits() -> None:
    def act(writes: DeferredWrites, wire: Wire) -> None:
        writes.add([b"a"])
        writes.add([b"b"], at_once=True)
        assert (wire.seen, writes.is_empty) == ([b"ab"], True)

    assert after_a_turn(act) == [b"ab"]


@pytest.mark.parametrize("at_once", [False, True])
def test_a_closing_connection_receives_nothing(at_once: bool) -> None:
    def act(writes: DeferredWrites, wire: Wire) -> None:
        wire.is_closed = True
        writes.add([b"a"], at_once=at_once)

    assert after_a_turn(act) == []
