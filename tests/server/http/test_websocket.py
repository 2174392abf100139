"""Connections that become WebSockets, or that would like to."""

import asyncio
import gc
import struct
import tracemalloc

import pytest
from starlette.types import Receive, Scope, Send

from antiphon.server.http import websocket as module
from antiphon.server.http.websocket import WebSocketConnection
from tests.server.http.test_connection import REQUEST
from tests.server.wires import TurnedLoop, Wire, connected, settled

HANDSHAKE = (
    b"GET /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
BAD = HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short")
CLOSE = struct.pack("!BBI", 0x88, 0x80, 0)


def frame(payload: bytes, opcode: int = 0x81) -> bytes:
    """Return a frame of a client; its mask of zeros leaves the payload as it is."""
    size = struct.pack("!BBH", opcode, 0x80 | 126, len(payload))
    return size + bytes(4) + payload


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send every text back; answer other requests with their method."""
    if scope["type"] == "http":
        headers = [(b"content-length", b"%d" % len(scope["method"]))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": scope["method"].encode()})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close"})


async def opened(*reads: bytes, app: object = echo) -> tuple[WebSocketConnection | None, Wire]:
    """Return the protocol of a connection after these reads, and its wire."""
    connection, wire = connected(app)  # type: ignore[arg-type]
    for read in reads:
        protocol = wire.protocol or connection
        assert isinstance(protocol, asyncio.Protocol)
        protocol.data_received(read)
        await settled()
    assert wire.protocol is None or isinstance(wire.protocol, WebSocketConnection)
    return wire.protocol, wire


def said(*reads: bytes, app: object = echo) -> tuple[bytes, bool]:
    """Return what is written for these reads, and whether the connection is closed."""

    async def scenario() -> tuple[bytes, bool]:
        protocol, wire = await opened(*reads, app=app)
        seen = b"".join(wire.seen), wire.is_closed or wire.is_ended
        if protocol is not None:
            protocol.connection_lost(None)
            await settled()
        return seen

    return asyncio.run(scenario())


ECHOES = [(b"a", b"b"), (b"x" * 300, b""), (b"",)]


@pytest.mark.parametrize("texts", ECHOES, ids=["two", "long", "empty"])
def test_frames_may_come_with_the_handshake(texts: tuple[bytes, ...]) -> None:
    frames = b"".join(map(frame, texts))
    later, _ = said(HANDSHAKE, frames)
    assert later.startswith(b"HTTP/1.1 101 ")
    for cut in range(len(frames) + 1):
        answer, is_closed = said(HANDSHAKE + frames[:cut], frames[cut:])
        assert answer.partition(b"\r\n\r\n")[2] == later.partition(b"\r\n\r\n")[2]
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert not is_closed


def test_a_ping_or_a_close_that_comes_with_the_handshake_is_answered_after_it() -> None:
    for early, reply in ((frame(b"hey", 0x89), b"\x8a\x03hey"), (CLOSE, b"\x88\x00")):
        answer, _ = said(HANDSHAKE + early)
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert rest == reply


@pytest.mark.parametrize("behind", [b"", b"x", frame(b"a"), REQUEST])
def test_a_failed_handshake_is_answered_and_closed(behind: bytes) -> None:
    answer, is_closed = said(BAD + behind)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert is_closed


@pytest.mark.parametrize(
    "broken",
    [
        HANDSHAKE.replace(b"Host", b"X: %b\r\nHost" % (b"x" * 9000)),
        HANDSHAKE.replace(b"Host", b"\xff: x\r\nHost"),
    ],
    ids=["long_line", "no_token"],
)
def test_a_handshake_that_cannot_be_read_is_answered_and_closed(broken: bytes) -> None:
    answer, is_closed = said(broken + frame(b"a"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert is_closed


def test_an_application_may_refuse_frames_and_all() -> None:
    answer, is_closed = said(HANDSHAKE + frame(b"a"), app=refusing)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert is_closed


OTHERS = {
    "post": (HANDSHAKE.replace(b"GET", b"POST"), b"POST"),
    "old": (HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"), b"GET"),
    "last": (HANDSHAKE.replace(b"GET", b"POST").replace(b"n: U", b"n: close, u"), b"POST"),
    "length": (HANDSHAKE.replace(b"Host", b"Content-Length: 2\r\nHost") + b"{}", b"GET"),
    "chunks": (HANDSHAKE.replace(b"Host", b"Transfer-Encoding: chunked\r\nHost") + b"0\r\n\r\n", b"GET"),
}


@pytest.mark.parametrize(("request_", "method"), OTHERS.values(), ids=OTHERS)
def test_no_other_request_becomes_a_websocket(
    request_: bytes, method: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer, _ = said(request_)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n" + method)
    assert "Traceback" not in caplog.text


def test_an_empty_body_is_no_body() -> None:
    answer, _ = said(HANDSHAKE.replace(b"Host", b"Content-Length: 0\r\nHost"))
    assert answer.startswith(b"HTTP/1.1 101 ")


def test_a_lost_connection_frees_its_frames_at_once() -> None:
    """Without the garbage collector, which counts objects and not bytes."""
    size = 8_000_000

    async def scenario() -> int:
        protocol, _ = await opened(HANDSHAKE)
        assert protocol is not None
        before, _ = tracemalloc.get_traced_memory()
        protocol.data_received(struct.pack("!BBQI", 0x81, 0xFF, size + 1, 0))
        for _ in range(8):
            protocol.data_received(bytes(size // 8))
        held, _ = tracemalloc.get_traced_memory()
        assert held - before >= size
        protocol.connection_lost(None)
        await settled()
        after, _ = tracemalloc.get_traced_memory()
        return after - before

    gc.disable()
    tracemalloc.start()
    try:
        assert asyncio.run(scenario()) < size / 20
    finally:
        tracemalloc.stop()
        gc.enable()


def test_fragments_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_FRAGMENTS", 10)
    first, more, last = frame(b"a", 0x01), frame(b"", 0x00), frame(b"b", 0x80)
    whole, _ = said(HANDSHAKE, first + 8 * more + last)
    assert whole.endswith(b"\x81\x02ab")
    cut, is_closed = said(HANDSHAKE, first + 20 * more, last)
    assert cut.endswith(b"\x88\x14" + struct.pack("!H", 1009) + b"too many fragments")
    assert is_closed


def test_a_client_that_reads_nothing_is_not_read_and_then_disconnected() -> None:
    """It could send pings for ever, whose pongs would pile up."""

    async def scenario() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        protocol, wire = await opened(HANDSHAKE)
        assert protocol is not None
        protocol.stop_keepalive()
        seen = [wire.is_read]
        wire.unsent = 100_000
        protocol.pause_writing()
        seen.append(wire.is_read)
        protocol.resume_writing()
        seen.append(wire.is_read)
        protocol.pause_writing()
        for seconds in (59, 2):
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_aborted)
        protocol.connection_lost(None)
        await settled()
        return seen

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        assert runner.run(scenario()) == [True, False, True, False, True]


def test_a_closing_connection_waits_for_its_client_no_longer() -> None:
    async def scenario() -> list[bool]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnedLoop)
        protocol, wire = await opened(HANDSHAKE)
        assert protocol is not None
        wire.unsent = 100
        protocol.data_received(CLOSE)
        await settled()
        seen = [wire.is_closed, wire.is_aborted]
        loop.turn(61)
        await settled()
        seen.append(wire.is_aborted)
        protocol.connection_lost(None)
        await settled()
        return seen

    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        assert runner.run(scenario()) == [True, False, True]
