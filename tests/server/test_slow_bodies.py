"""B47: bodies that do not come on are given up, and those that do may take their time."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from antiphon.errors import RequestTimeout
from antiphon.server.slow_bodies import LEAST_RATE, PATIENCE, SlowBodies
from tests.server.asgi import scope


class SlowClient:
    """Sends pieces after so many seconds each, by a clock that only it turns."""

    def __init__(self, pieces: Iterable[tuple[float, bytes]], loop: "TurnedLoop") -> None:
        self._pieces = iter(pieces)
        self._loop = loop

    async def receive(self) -> Message:
        found = next(self._pieces, None)
        if found is None:
            return {"type": "http.request", "body": b"", "more_body": False}
        seconds, piece = found
        self._loop.turn(seconds)
        await asyncio.sleep(0)  # Whose time is over is told now.
        await asyncio.sleep(0)
        return {"type": "http.request", "body": piece, "more_body": True}


class TurnedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is turned on by hand, too."""

    def __init__(self) -> None:
        super().__init__()
        self._turned = 0.0

    def time(self) -> float:
        return super().time() + self._turned

    def turn(self, seconds: float) -> None:
        self._turned += seconds


def read(pieces: Iterable[tuple[float, bytes]], method: str = "POST") -> int:
    """Returns how many bytes an application could read."""
    size = 0

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        nonlocal size
        more = True
        while more:
            message = await receive()
            size += len(message["body"])
            more = message["more_body"]

    async def send(_: Message) -> None:
        raise AssertionError("nothing is answered")

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, TurnedLoop)
        client = SlowClient(pieces, loop)
        runner.run(SlowBodies(app)(scope(method), client.receive, send))
    return size


def test_a_byte_a_second_is_given_up() -> None:
    with pytest.raises(RequestTimeout):
        read([(1, b"x")] * 100)


def test_a_body_that_never_comes_is_given_up() -> None:
    with pytest.raises(RequestTimeout):
        read([(PATIENCE + 1, b"")])


def test_a_large_body_may_take_an_hour() -> None:
    assert read([(1, b"x" * int(LEAST_RATE + 10))] * 3600) == 3600 * (LEAST_RATE + 10)


def test_a_pause_is_borne_and_a_long_one_is_not_earned_by_haste() -> None:
    fast = [(0.01, b"x" * 1_000_000)] * 5
    assert read([*fast, (PATIENCE - 1, b"x"), *fast]) == 10_000_001
    with pytest.raises(RequestTimeout):
        read([*fast, (PATIENCE + 1, b"x"), *fast])


def test_after_the_body_there_is_no_limit() -> None:
    """Whoever waits for the client to go away does so as long as the answer takes."""

    async def scenario() -> str:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        messages: list[Message] = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]

        async def receive() -> Message:
            if len(messages) == 1:
                loop.turn(10 * PATIENCE)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return messages.pop(0)

        async def app(_: Scope, receive: Receive, __: Send) -> None:
            await receive()
            messages.append(await receive())

        async def send(_: Message) -> None:
            raise AssertionError("nothing is answered")

        await SlowBodies(app)(scope("POST"), receive, send)
        kind: str = messages[0]["type"]
        return kind

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        assert runner.run(scenario()) == "http.disconnect"
