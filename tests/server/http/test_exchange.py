"""Requests as an application reads them, and answers as it writes them."""

import asyncio
import logging
from collections.abc import Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from antiphon.errors import RequestTimeout
from antiphon.server.http.exchange import LEAST_RATE, PATIENCE, Exchange, Header, head
from tests.server.asgi import scope
from tests.server.wires import TurnedLoop, settled


class Line:
    """A connection that notes all writes, and sends nothing itself."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_full = False
        self.seen: list[bytes] = []
        self.is_read = True

    def headers(self) -> list[Header]:
        return [(b"date", b"today")]

    def write(self, pieces: list[bytes], *, at_once: bool) -> None:
        self.seen += [*filter(None, pieces), *([b"(now)"] if at_once else [])]

    async def drain(self) -> None:
        self.seen.append(b"(drained)")
        self.is_full = False

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def finish(self) -> None:
        self.seen.append(b"(finished)")

    def close(self) -> None:
        self.seen.append(b"(closed)")

    def leave(self, exchange: Exchange) -> None:
        self.seen.append(b"(left)")


def exchange(line: Line, method: str = "POST", version: str = "1.1", *, expects: bool = False) -> Exchange:
    given = {**scope(method, "/path"), "http_version": version}
    return Exchange(line, given, keep_alive=version == "1.1", expects_continue=expects)


def read(pieces: Iterable[tuple[float, bytes]]) -> int:
    """Return the number of bytes read from a body whose pieces arrive after so many seconds each."""

    async def client(one: Exchange, loop: TurnedLoop) -> None:
        for seconds, piece in pieces:
            loop.turn(seconds)
            await settled()  # Expired timers run now.
            one.feed(piece)
            await settled()
        one.end_body()

    async def scenario() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        one, size, more = exchange(Line()), 0, True
        sending = asyncio.create_task(client(one, loop))
        try:
            while more:
                message = await one.receive()
                size += len(message["body"])
                more = message["more_body"]
        finally:
            sending.cancel()
        return size

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        return runner.run(scenario())


def test_a_byte_a_second_is_given_up() -> None:
    with pytest.raises(RequestTimeout):
        read([(1, b"x")] * 100)


def test_a_body_that_never_comes_is_given_up() -> None:
    with pytest.raises(RequestTimeout):
        read([(PATIENCE + 1, b"x")])


def test_a_large_body_may_take_an_hour() -> None:
    assert read([(1, b"x" * int(LEAST_RATE + 10))] * 3600) == 3600 * (LEAST_RATE + 10)


def test_a_pause_is_borne_and_a_long_one_is_not_earned_by_haste() -> None:
    fast = [(0.01, b"x" * 1_000_000)] * 5
    assert read([*fast, (PATIENCE - 1, b"x"), *fast]) == 10_000_001
    with pytest.raises(RequestTimeout):
        read([*fast, (PATIENCE + 1, b"x"), *fast])


def test_time_in_which_nobody_reads_does_not_count() -> None:
    async def scenario() -> list[bytes]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        one = exchange(Line())
        one.feed(b"a")
        first = await one.receive()
        loop.turn(10 * PATIENCE)
        await settled()
        one.feed(b"b")
        return [first["body"], (await one.receive())["body"]]

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        assert runner.run(scenario()) == [b"a", b"b"]


def test_after_the_body_there_is_no_limit() -> None:
    """A wait for the disconnect of the client lasts as long as the answer."""

    async def scenario() -> str:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        one = exchange(Line())
        one.end_body()
        assert await one.receive() == {"type": "http.request", "body": b"", "more_body": False}
        waiting = asyncio.create_task(one.receive())
        await settled()
        loop.turn(10 * PATIENCE)
        await settled()
        assert not waiting.done()
        one.lose()
        kind: str = (await waiting)["type"]
        return kind

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        assert runner.run(scenario()) == "http.disconnect"


def test_a_client_waits_while_nobody_reads() -> None:
    async def scenario() -> list[bool]:
        line = Line()
        one = exchange(line)
        one.feed(b"x" * 65_536)
        seen = [line.is_read]
        one.feed(b"x")
        seen.append(line.is_read)
        one.end_body()
        assert len((await one.receive())["body"]) == 65_537
        return [*seen, line.is_read]

    assert asyncio.run(scenario()) == [True, False, True]


@pytest.mark.parametrize(
    ("piece", "asked"), [(b"", [b"HTTP/1.1 100 Continue\r\n\r\n", b"(now)"]), (b"x", [])]
)
def test_who_waits_for_leave_to_send_a_body_gets_it_when_it_is_read(piece: bytes, asked: list[bytes]) -> None:
    async def scenario() -> list[bytes]:
        line = Line()
        one = exchange(line, expects=True)
        if piece:
            one.feed(piece)
        reading = asyncio.create_task(one.receive())
        await settled()
        one.end_body()
        await reading
        return line.seen

    assert asyncio.run(scenario()) == asked


def answered(
    one_of: str, version: str, status: int, headers: list[Header], *pieces: bytes, expects: bool = False
) -> list[bytes]:
    """Return the bytes that are written for an answer in pieces."""

    async def scenario() -> list[bytes]:
        line = Line()
        one = exchange(line, one_of, version, expects=expects)
        await one.send({"type": "http.response.start", "status": status, "headers": headers})
        assert line.seen == []
        for number, piece in enumerate(pieces, 1):
            more = number < len(pieces)
            await one.send({"type": "http.response.body", "body": piece, "more_body": more})
        return line.seen

    return asyncio.run(scenario())


HEAD = b"HTTP/1.1 200 OK\r\ndate: today\r\n"
LENGTH = (b"content-length", b"4")


def test_an_answer_of_known_length() -> None:
    seen = answered("GET", "1.1", 200, [LENGTH], b"ab", b"cd")
    assert seen == [HEAD + b"content-length: 4\r\n\r\n", b"ab", b"(now)", b"cd", b"(finished)"]
    assert answered("GET", "1.1", 200, [LENGTH], b"abcd") == [seen[0], b"abcd", b"(finished)"]


def test_an_answer_of_unknown_length_is_sent_in_chunks() -> None:
    seen = answered("GET", "1.1", 200, [], b"ab", b"", b"x" * 17, b"")
    head = HEAD + b"transfer-encoding: chunked\r\n\r\n"
    pieces = [b"2\r\nab\r\n", b"(now)", b"11\r\n" + b"x" * 17 + b"\r\n", b"(now)", b"0\r\n\r\n"]
    assert seen == [head, *pieces, b"(now)", b"(finished)"]
    assert answered("GET", "1.1", 200, [], b"ab") == [head, b"2\r\nab\r\n0\r\n\r\n", b"(now)", b"(finished)"]


def test_to_an_old_client_its_end_is_that_of_the_connection() -> None:
    seen = answered("GET", "1.0", 200, [], b"ab", b"cd")
    assert seen == [HEAD + b"connection: close\r\n\r\n", b"ab", b"(now)", b"cd", b"(finished)"]


@pytest.mark.parametrize(
    ("method", "status", "line"),
    [("HEAD", 200, b"200 OK"), ("GET", 204, b"204 No Content"), ("GET", 304, b"304 Not Modified")],
)
def test_an_answer_without_a_body(method: str, status: int, line: bytes) -> None:
    seen = answered(method, "1.1", status, [], b"ab")
    assert seen == [b"HTTP/1.1 " + line + b"\r\ndate: today\r\n\r\n", b"(finished)"]


def test_a_client_that_was_not_asked_for_its_body_has_to_reconnect() -> None:
    """The client decides whether it still sends the body."""
    seen = answered("POST", "1.1", 413, [LENGTH], b"abcd", expects=True)
    assert b"connection: close\r\n" in seen[0]


def test_a_client_that_did_not_wait_to_be_asked_for_its_body_keeps_its_connection() -> None:
    """The body comes with its head, or before it is read, with any `Expect`."""

    async def scenario(*pieces: bytes) -> tuple[bool, list[bytes]]:
        line = Line()
        one = exchange(line, expects=True)
        for piece in pieces:
            one.feed(piece)
        one.end_body()
        while (await one.receive())["more_body"]:
            pass
        await one.send({"type": "http.response.start", "status": 200, "headers": [LENGTH]})
        await one.send({"type": "http.response.body", "body": b"abcd"})
        return one.keep_alive, line.seen

    for pieces in ((b"a", b"b"), ()):
        keep_alive, seen = asyncio.run(scenario(*pieces))
        assert keep_alive
        assert not any(b" 100 " in each or b"close" in each for each in seen)


def test_an_application_may_end_the_connection() -> None:
    async def scenario() -> tuple[bytes, bool]:
        line = Line()
        one = exchange(line)
        headers = [(b"connection", b"close"), (b"content-length", b"0")]
        await one.send({"type": "http.response.start", "status": 200, "headers": headers})
        await one.send({"type": "http.response.body"})
        return line.seen[0], one.keep_alive

    head, keep_alive = asyncio.run(scenario())
    assert head.count(b"connection: close\r\n") == 1
    assert not keep_alive


@pytest.mark.parametrize("pieces", [(b"abcde",), (b"abc",), (b"abc", b"de")])
def test_an_answer_must_be_as_long_as_it_says(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(RuntimeError, match="content-length"):
        answered("GET", "1.1", 200, [LENGTH], *pieces)


def test_an_answer_ends_once() -> None:
    async def scenario() -> None:
        one = exchange(Line())
        await one.send({"type": "http.response.start", "status": 200})
        await one.send({"type": "http.response.body"})
        with pytest.raises(RuntimeError, match="after its end"):
            await one.send({"type": "http.response.body"})
        assert await one.receive() == {"type": "http.disconnect"}

    asyncio.run(scenario())


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb"])
def test_a_header_is_one_line(value: bytes) -> None:
    with pytest.raises(ValueError, match="line break"):
        head(200, [(b"x-name", value)])


def test_a_status_that_has_no_name() -> None:
    assert head(499, []) == b"HTTP/1.1 499 \r\n\r\n"


def test_who_does_not_read_is_waited_for() -> None:
    async def scenario() -> list[bytes]:
        line = Line()
        one = exchange(line)
        await one.send({"type": "http.response.start", "status": 204})
        line.is_full = True
        await one.send({"type": "http.response.body"})
        return line.seen

    assert asyncio.run(scenario())[0] == b"(drained)"


def test_nothing_is_written_for_who_is_gone() -> None:
    async def scenario() -> list[bytes]:
        line = Line()
        one = exchange(line)
        one.lose()
        assert await one.receive() == {"type": "http.disconnect"}
        await one.send({"type": "http.response.start", "status": 200})
        await one.send({"type": "http.response.body"})
        return line.seen

    assert asyncio.run(scenario()) == []


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.parametrize("raises", [True, False])
def test_an_answer_that_stays_unfinished_ends_the_connection(
    begins: bool, raises: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(given: Scope, receive: Receive, send: Send) -> None:
        if begins:
            message: Message = {"type": "http.response.start", "status": 200}
            await send(message)
        if raises:
            raise ZeroDivisionError

    async def scenario() -> list[bytes]:
        line = Line()
        await exchange(line).run(app)
        return line.seen

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(scenario()) == [b"(closed)", b"(left)"]
    assert [record.getMessage() for record in caplog.records] == ["Failed to respond to POST /path"] * raises
