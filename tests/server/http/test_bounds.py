"""Limits of a connection: trailers, heads, the rest of a request, clients that do not read or close early."""

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.server.http import connection as module
from antiphon.server.http.connection import HttpConnection
from tests.server.http.test_connection import OK, REQUEST, echo, said
from tests.server.wires import TurnedLoop, Wire, connected, settled

CHUNKED = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 0\r\n\r\n"


async def names(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the names of the headers after the whole body."""
    while (await receive())["more_body"]:
        pass
    body = b",".join(name for name, _ in scope["headers"])
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without reading the body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and then wait forever."""
    while (await receive()).get("more_body"):
        pass
    await asyncio.Event().wait()


def bodies(app: ASGIApp, *reads: bytes) -> list[bytes]:
    """Return the bodies that an application answers when these bytes come in one connection."""

    async def scenario() -> bytes:
        connection, wire = connected(app)
        for read in reads:
            connection.data_received(read)
            await settled()
        connection.connection_lost(None)
        return b"".join(wire.seen)

    answers = asyncio.run(scenario()).split(b"HTTP/1.1 ")[1:]
    return [answer.partition(b"\r\n\r\n")[2] for answer in answers]


def refused(*reads: bytes) -> str:
    """Return the message of the error that these bytes get as their only answer."""
    *answer, end = said(*reads)
    assert end == b"(closed)"
    head, _, body = b"".join(answer).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    message: str = json.loads(body)["error"]["message"]
    return message


def turned(
    scenario: Callable[[TurnedLoop, HttpConnection, Wire], Awaitable[list[bool]]], app: ASGIApp = echo
) -> list[bool]:
    """Run a scenario whose clock is turned by hand."""

    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        return await scenario(loop, *connected(app))

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        return runner.run(main())


# Trailers.


def test_trailers_never_become_headers() -> None:
    whole = CHUNKED + b"1\r\nx\r\n0\r\nAuthorization: Bearer K\r\nOrigin: o\r\n\r\n"
    expected = [b"host,transfer-encoding", b"host"]
    assert bodies(names, whole + GET) == expected
    for cut in range(len(CHUNKED), len(whole)):
        assert bodies(names, whole[:cut], whole[cut:] + GET) == expected


@pytest.mark.parametrize("piece", [b"a:b\r\n", b"a: " + b"b" * 500 + b"\r\n", b"x", b"a:" + b"\r\n a" * 9])
@pytest.mark.parametrize("size", [100, 60_000, 262_144])
def test_trailers_are_bounded(piece: bytes, size: int) -> None:
    read = piece * max(1, size // len(piece))
    reads = [read] * (300_000 // len(read))
    message = refused(CHUNKED + b"0\r\n", b"T: " if piece == b"x" else b"", *reads)
    assert message.startswith("Invalid HTTP request: ")


def test_trailers_of_one_read_are_bounded() -> None:
    assert "too large" in refused(CHUNKED + b"0\r\n" + b"a:b\r\n" * 20_000 + b"\r\n")
    assert bodies(names, CHUNKED + b"0\r\n" + b"a:b\r\n" * 1000 + b"\r\n") == [b"host,transfer-encoding"]


def test_chunk_extensions_are_bounded() -> None:
    assert "too large" in refused(CHUNKED, b"1;", *[b"e" * 1000] * 70)


def test_small_chunks_of_a_large_body_are_no_overhead() -> None:
    chunks = b"1\r\nx\r\n" * 1000
    assert bodies(names, CHUNKED, *[chunks] * 100, b"0\r\n\r\n") == [b"host,transfer-encoding"]


# Heads.


@pytest.mark.parametrize("header", [b"X: " + b"x" * 70_000 + b"\r\n", b"X-Name: value\r\n" * 5000])
def test_a_head_is_bounded_in_one_read_too(header: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + header + b"\r\n"
    assert "too large; expected at most 1000 with 65536 bytes" in refused(head)
    # Neither does it help to come after another request.
    *_, answer, end = said(REQUEST + head)
    assert b"too large" in answer
    assert end == b"(closed)"


def test_headers_are_counted() -> None:
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a:b\r\n" * 1001
    assert "too large" in refused(head + b"\r\n")
    assert "too large" in refused(head)
    assert said(head[: -20 * 5] + b"\r\n") == [EMPTY]


@pytest.mark.parametrize("sent", [GET, GET + b"\0"], ids=["served", "refused"])
def test_an_idle_connection_holds_no_head(sent: bytes) -> None:
    """A thousand headers take far more memory than on the network."""

    async def scenario() -> int:
        connection, _ = connected(early)
        before, _ = tracemalloc.get_traced_memory()
        connection.data_received(sent.replace(b"Host", b"a:b\r\n" * 900 + b"Host"))
        await settled()
        after, _ = tracemalloc.get_traced_memory()
        connection.connection_lost(None)
        return after - before

    tracemalloc.start()
    try:
        assert asyncio.run(scenario()) < 30_000
    finally:
        tracemalloc.stop()


def test_a_large_body_beside_its_head_is_no_large_head() -> None:
    request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    assert bodies(echo, request) == [b"x" * 200_000]


# Requests after malformed HTTP and early responses.


def test_requests_before_a_malformed_one_have_their_answers_first() -> None:
    *answers, end = said(2 * REQUEST + b"\0nothing")
    assert end == b"(closed)"
    assert b"".join(answers).startswith(2 * (OK + b"{}") + b"HTTP/1.1 400 ")


def test_a_waiting_request_whose_body_is_malformed_is_not_begun() -> None:
    *answers, end = said(REQUEST + CHUNKED + b"no chunk")
    assert end == b"(closed)"
    assert b"".join(answers).startswith(OK + b"{}" + b"HTTP/1.1 400 ")


def test_a_malformed_body_gets_one_answer() -> None:
    """The application waits for the rest of it, and has no say anymore."""
    message = refused(CHUNKED + b"1\r\nx\r\n", b"no chunk", REQUEST)
    assert message.startswith("Invalid HTTP request: ")


def test_after_a_malformed_request_the_client_has_time_to_read_why() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(b"\0nothing")
        seen = [wire.is_ended, wire.is_closed]
        connection.data_received(b"x" * 1000)
        for seconds in (29, 2):
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario) == [True, False, False, True]


def test_the_client_that_has_read_why_ends_the_connection() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(b"\0nothing")
        return [connection.eof_received()]

    assert turned(scenario) == [False]


@pytest.mark.parametrize("size", [1, 1000])
def test_the_rest_of_a_request_may_arrive_after_its_answer(size: int) -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size
        connection.data_received(head)
        await settled()
        loop.turn(29)
        await settled()
        connection.data_received(b"x" * size)
        seen = [wire.is_closed]
        for seconds in (74, 2):
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario, early) == [False, False, True]


def test_the_rest_of_a_request_is_not_waited_for_too_long() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(REQUEST[:-1])
        await settled()
        seen = [wire.is_closed]
        for seconds in (29, 2):
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario, early) == [False, False, True]


@pytest.mark.parametrize("keeps", [True, False], ids=["keep_alive", "close"])
def test_the_rest_of_a_request_is_bounded(monkeypatch: pytest.MonkeyPatch, keeps: bool) -> None:
    monkeypatch.setattr(module, "_MAX_REST", 1_000_000)

    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n%b\r\n"
        connection.data_received(head % (b"" if keeps else b"Connection: close\r\n"))
        await settled()
        seen = []
        for _ in range(3):
            connection.data_received(b"x" * 400_000)
            seen.append(wire.is_closed)
        return [wire.is_ended, *seen]

    assert turned(scenario, early) == [not keeps, False, False, True]


# Clients that read nothing.


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    while True:
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await asyncio.sleep(0)


@pytest.mark.parametrize("reads", [0, 1, 10])
def test_D12_a_client_that_reads_nothing_is_disconnected(reads: int) -> None:
    """The time counts from the last byte that it read."""

    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(GET)
        await settled()
        wire.unsent = 100_000
        connection.pause_writing()
        for _ in range(reads):
            loop.turn(61)
            wire.unsent -= 1
            await settled()
        seen = [wire.is_aborted]
        loop.turn(59)
        await settled()
        seen.append(wire.is_aborted)
        loop.turn(2)
        await settled()
        return [*seen, wire.is_aborted]

    assert turned(scenario, endless) == [False, False, True]


def test_a_client_that_caught_up_is_not_disconnected() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(GET)
        await settled()
        wire.unsent = 100_000
        connection.pause_writing()
        wire.unsent = 10_000
        connection.resume_writing()
        loop.turn(1000)
        await settled()
        return [wire.is_closed]

    assert turned(scenario, endless) == [False]


def test_a_closing_connection_waits_for_its_client_no_longer() -> None:
    """The last data is too small to pause the application, and the close waits until it is read."""

    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        wire.unsent = 1000
        connection.data_received(GET.replace(b"Host", b"Connection: close\r\nHost"))
        await settled()
        connection.resume_writing()
        seen = [wire.is_closed, wire.is_aborted]
        loop.turn(61)
        await settled()
        return [*seen, wire.is_aborted]

    assert turned(scenario) == [True, False, True]


# Clients that close their sending side.


def test_a_client_that_sends_no_more_is_answered() -> None:
    async def scenario() -> list[bytes]:
        connection, wire = connected(echo)
        connection.data_received(2 * REQUEST)
        await asyncio.sleep(0)
        assert connection.eof_received()
        await settled()
        assert wire.is_closed
        return wire.seen

    last = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert asyncio.run(scenario()) == [OK + b"{}", last + b"{}"]


def test_a_response_that_leaves_soon_is_not_lost() -> None:
    async def scenario() -> tuple[list[bytes], bool]:
        connection, wire = connected(early)
        connection.data_received(GET)
        await asyncio.sleep(0)
        assert wire.seen == []
        return wire.seen, connection.eof_received()

    assert asyncio.run(scenario()) == ([EMPTY], False)


def test_a_client_that_may_be_gone_is_not_waited_for() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(REQUEST)
        await settled()
        seen = [connection.eof_received(), wire.is_closed]
        loop.turn(0.3)
        await settled()
        return [*seen, wire.is_closed]

    assert turned(scenario, silent) == [True, False, True]


@pytest.mark.parametrize("sent", [b"", GET[:-1], REQUEST[:-1]], ids=["nothing", "half_a_head", "half_a_body"])
def test_what_can_never_be_answered_ends_the_connection(sent: bytes) -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(sent)
        await settled()
        return [connection.eof_received()]

    assert turned(scenario) == [False]


def test_a_stream_whose_client_may_be_gone_is_cut() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(GET)
        await settled()
        return [connection.eof_received()]

    assert turned(scenario, endless) == [False]
