"""HTTP/1.1 from clients, correct and malformed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest
from starlette.types import Receive, Scope, Send

from antiphon.server.http.connection import HttpConnection
from antiphon.server.http.exchange import CLIENT
from tests.server.wires import TurnedLoop, Wire, connected, settled

REQUEST = b"POST /one%20two?a=b HTTP/1.1\r\nHost: h\r\nX-Name: Value\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def said(*reads: bytes) -> list[bytes]:
    """Return the groups of bytes that are written together when a client's bytes arrive in these pieces."""

    async def scenario() -> list[bytes]:
        connection, wire = connected(echo)
        for read in reads:
            connection.data_received(read)
            await settled()
        connection.connection_lost(None)
        return [*wire.seen, b"(closed)"] if wire.is_closed or wire.is_ended else wire.seen

    return asyncio.run(scenario())


def test_an_answer_is_written_at_once() -> None:
    assert said(REQUEST) == [OK + b"{}"]


def test_a_request_may_come_in_any_pieces() -> None:
    for cut in range(1, len(REQUEST)):
        assert said(REQUEST[:cut], REQUEST[cut:]) == [OK + b"{}"]
    assert said(*(REQUEST[at : at + 1] for at in range(len(REQUEST)))) == [OK + b"{}"]


def test_the_scope_of_a_request_for_an_application() -> None:
    async def scenario() -> Scope:
        told: list[Scope] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            assert not scope.pop(CLIENT).is_gone
            told.append(scope)

        connection, _ = connected(app)
        connection.data_received(REQUEST)
        await settled()
        return told[0]

    assert asyncio.run(scenario()) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "POST",
        "path": "/one two",
        "raw_path": b"/one%20two",
        "query_string": b"a=b",
        "root_path": "",
        "headers": [(b"host", b"h"), (b"x-name", b"Value"), (b"content-length", b"2")],
        "state": {},
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def test_answers_of_one_turn_leave_in_the_next() -> None:
    async def scenario() -> list[int]:
        ends = [connected(echo) for _ in range(3)]
        for connection, _ in ends:
            connection.data_received(REQUEST)
        counts: list[int] = []
        while not counts or counts[-1] < len(ends):
            counts.append(sum(len(wire.seen) for _, wire in ends))
            await asyncio.sleep(0)
        return counts

    assert set(asyncio.run(scenario())) == {0, 3}


def test_pieces_of_an_answer_leave_at_once() -> None:
    wires: list[Wire] = []
    seen: list[bytes] = []

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for piece in (b"a", b"b", b""):
            await send({"type": "http.response.body", "body": piece, "more_body": bool(piece)})
            seen.append(b"".join(wires[0].seen).partition(b"\r\n\r\n")[2])

    async def scenario() -> None:
        connection, wire = connected(streaming)
        wires.append(wire)
        connection.data_received(REQUEST)
        await settled()

    asyncio.run(scenario())
    assert seen == [b"1\r\na\r\n", b"1\r\na\r\n1\r\nb\r\n", b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"]


def test_nothing_is_written_to_a_connection_that_is_lost() -> None:
    """The loop of uvloop raises an error in this case, and so does the transport of the test."""

    async def scenario() -> list[bytes]:
        connection, wire = connected(echo)
        connection.write([b"x"], at_once=False)
        wire.is_closed = True
        await settled()
        connection.close()
        return wire.seen

    assert asyncio.run(scenario()) == []


def test_requests_that_come_too_early_wait_at_the_client() -> None:
    turns: list[asyncio.Future[None]] = []

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        turns.append(asyncio.get_running_loop().create_future())
        await turns[-1]
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    async def scenario() -> list[bool]:
        connection, wire = connected(answering)
        seen = []
        connection.data_received(3 * REQUEST)
        for _ in range(3):
            await settled()
            seen.append(wire.is_read)
            turns[-1].set_result(None)
        await settled()
        assert wire.seen == 3 * [b"HTTP/1.1 204 No Content\r\ndate: today\r\n\r\n"]
        return seen

    assert asyncio.run(scenario()) == [False, False, True]


def test_what_is_read_after_an_answer_that_came_early_is_skipped() -> None:
    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    async def scenario() -> list[bytes]:
        connection, wire = connected(early)
        connection.data_received(REQUEST[:-1])
        await settled()
        connection.data_received(REQUEST[-1:] + REQUEST)
        await settled()
        return wire.seen

    phrase = HTTPStatus(413).phrase.encode()  # Python 3.13 has another phrase.
    answer = b"HTTP/1.1 413 " + phrase + b"\r\ndate: today\r\ncontent-length: 0\r\n\r\n"
    assert asyncio.run(scenario()) == [answer, answer]


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST.replace(b"Host: h", b"Host: h\r\nConnection: close"),
        REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_the_last_answer_of_a_connection(request_: bytes) -> None:
    head = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    assert said(request_, REQUEST) == [head + b"{}", b"(closed)"]


BROKEN = {
    "no_http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "Invalid HTTP request: "),
    "no_path": (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "its target is neither a path nor a URL"),
    "a_proxy": (b"CONNECT http://h:443/ HTTP/1.1\r\nHost: h\r\n\r\n", "Invalid HTTP request: "),
    "not_ascii": (b"GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n", "Invalid HTTP request: "),
    "two_lengths": (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "Content-Length",
    ),
    "length_and_chunks": (
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Content-Length",
    ),
}


@pytest.mark.parametrize(("sent", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_request_is_refused(sent: bytes, reason: str) -> None:
    *answer, end = said(sent, REQUEST)
    assert end == b"(closed)"
    head, _, body = b"".join(answer).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in head.lower()
    error = json.loads(body)["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert reason in error["message"]


@pytest.mark.parametrize("piece", [b"X-Name: value\r\n", b"x"], ids=["many", "long"])
def test_a_head_has_an_end(piece: bytes) -> None:
    reads = [b"GET / HTTP/1.1\r\nX-Long: ", *([piece * 1000] * 70)]
    *answer, end = said(*reads)
    assert end == b"(closed)"
    assert b"too large; expected at most 1000 with 65536 bytes" in b"".join(answer)


def test_many_requests_of_one_read_are_no_long_head() -> None:
    async def scenario() -> bytes:
        connection, wire = connected(echo)
        connection.data_received(1000 * REQUEST + REQUEST[:40])
        for _ in range(1000):
            await settled()
        connection.data_received(REQUEST[40:])
        await settled()
        return b"".join(wire.seen)

    assert asyncio.run(scenario()) == 1001 * (OK + b"{}")


def test_a_fault_after_the_answer_has_begun_ends_the_connection() -> None:
    async def beginning(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await asyncio.Event().wait()

    async def scenario() -> list[bytes]:
        connection, wire = connected(beginning)
        connection.data_received(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        await settled()
        connection.data_received(b"no chunk")
        await settled()
        assert wire.is_closed
        return wire.seen

    (answer,) = asyncio.run(scenario())
    assert answer.endswith(b"\r\n\r\n1\r\na\r\n")


def turned(scenario: Callable[[TurnedLoop, HttpConnection, Wire], Awaitable[list[bool]]]) -> list[bool]:
    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        return await scenario(loop, *connected(echo))

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        return runner.run(main())


def test_a_head_that_comes_too_slowly_is_given_up() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        seen = []
        for byte in (b"P", b"O", b"S"):
            connection.data_received(byte)
            loop.turn(30)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario) == [False, False, True]


@pytest.mark.parametrize("before", [b"", REQUEST, REQUEST + REQUEST[:9]], ids=["unused", "used", "half"])
def test_idle_connections_are_closed(before: bytes) -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        seen = []
        if before:
            connection.data_received(before)
        for seconds in (0, 74, 2):
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario) == [False, False, True]


def test_a_connection_is_not_idle_while_it_is_answered() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(REQUEST[:-1])
        await settled()
        loop.turn(15)
        connection.data_received(REQUEST[-1:])
        seen = []
        for seconds in (65, 9, 2):
            await settled()
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario) == [False, False, True]


def test_a_client_that_does_not_read_is_waited_for_until_it_is_gone() -> None:
    ended: list[bool] = []

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for _ in range(5):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0)
        ended.append(True)

    async def scenario(*, follows: bool) -> tuple[bytes, bool]:
        connection, wire = connected(streaming)
        connection.data_received(REQUEST)
        connection.pause_writing()
        await settled()
        assert b"".join(wire.seen) == b""
        if follows:
            connection.resume_writing()
        else:
            connection.connection_lost(None)
        await settled()
        return b"".join(wire.seen), ended.pop()

    head = b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n"
    assert asyncio.run(scenario(follows=True)) == (head + 5 * b"1\r\nx\r\n", True)
    assert asyncio.run(scenario(follows=False)) == (b"", True)


def test_other_protocols_than_websocket_are_not_changed_to() -> None:
    """Java's client requests HTTP/2 with its first request, and accepts an answer in HTTP/1.1."""
    asking = REQUEST.replace(b"Host: h", b"Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c")
    assert said(asking, REQUEST) == [OK + b"{}", OK + b"{}"]


def test_who_asks_again_and_again_for_another_protocol_gets_his_answers() -> None:
    asking = REQUEST.replace(b"Host: h", b"Host: h\r\nConnection: Upgrade\r\nUpgrade: h2c")

    async def scenario() -> bytes:
        connection, wire = connected(echo)
        connection.data_received(2000 * asking)
        for _ in range(2000):
            await settled()
        return b"".join(wire.seen)

    assert asyncio.run(scenario()) == 2000 * (OK + b"{}")


def test_behind_an_unanswered_request_no_protocol_is_changed() -> None:
    asking = REQUEST.replace(b"Host: h", b"Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket")
    assert said(REQUEST + asking) == [OK + b"{}", OK + b"{}"]
