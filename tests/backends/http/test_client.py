import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from antiphon.backends.http import client as http_client
from antiphon.backends.http.answer import Answer, Timeouts
from antiphon.backends.http.client import HttpClient
from antiphon.backends.http.errors import Cut, NotHttp, Silence
from antiphon.backends.http.target import target
from antiphon.net.writes import DeferredWrites

T = TypeVar("T")
_TIMEOUTS = Timeouts(connect=5, first_byte=5, idle=5)


class Server:
    """Server that answers each request with the next of `pieces` as raw bytes; None closes the connection."""

    def __init__(self, pieces: Sequence[bytes | None]) -> None:
        self.left = list(pieces)
        self.connections = 0
        self.heads: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            while self.left and (head := await reader.readuntil(b"\r\n\r\n")):
                self.heads.append(head)
                while self.left and (piece := self.left.pop(0)) is not None:
                    writer.write(piece)
                    await writer.drain()
                    if piece.endswith(END):
                        break
                else:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


END = b"!"
"""Byte that ends the body of an answer; after it, the server waits for the next request."""


def talk(pieces: Sequence[bytes | None], call: Callable[[HttpClient, Server], Awaitable[T]]) -> T:
    async def run() -> T:
        script = Server(pieces)
        async with await asyncio.start_server(script.serve, "127.0.0.1", 0) as server:
            script.port = server.sockets[0].getsockname()[1]
            client = HttpClient()
            try:
                return await call(client, script)
            finally:
                await client.close()

    return asyncio.run(run())


async def get(client: HttpClient, server: Server, body: bytes = b"") -> Answer:
    to = target("POST", f"http://127.0.0.1:{server.port}/a b?c=d")
    return await client.request(to, body, _TIMEOUTS)


async def body_of(answer: Answer) -> bytes:
    pieces = []
    while data := await answer.read():
        pieces.append(data)
    await answer.close()
    return b"".join(pieces)


async def whole(client: HttpClient, server: Server) -> tuple[int, bytes]:
    answer = await get(client, server)
    return answer.status, await body_of(answer)


def test_what_is_sent() -> None:
    async def call(client: HttpClient, server: Server) -> None:
        url = f"http://127.0.0.1:{server.port}/v1/m"
        headers = (("X-One", "1"), ("Authorization", "Bearer a\r\nX-Two: 2"))
        await body_of(await client.request(target("POST", url, headers), b"{}", _TIMEOUTS))
        lines = server.heads[0].decode().split("\r\n")
        assert lines[0] == "POST /v1/m HTTP/1.1"
        assert set(lines[1:-2]) == {
            f"Host: 127.0.0.1:{server.port}",
            "Content-Length: 2",
            "X-One: 1",
            "Authorization: Bearer a X-Two: 2",
        }

    talk([b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi!"], call)


def test_a_large_body_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of an image of 20 MB takes milliseconds, in which nobody else is served."""
    sent: list[bytes] = []
    add = DeferredWrites.add

    def note(self: DeferredWrites, pieces: list[bytes], *, at_once: bool = False) -> None:
        sent.extend(pieces)
        add(self, pieces, at_once=at_once)

    monkeypatch.setattr(DeferredWrites, "add", note)
    body = b"x" * 1_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        arrived = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split()[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"ok" if arrived == body else b"no"))
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            client = HttpClient()
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            answer = await client.request(target("POST", url), body, _TIMEOUTS)
            assert await answer.read() == b"ok"
            await answer.close()
            await client.close()

    asyncio.run(run())
    assert len(sent) == 2
    assert sent[1] is body


def test_calls_are_in_progress_until_their_responses_have_ended() -> None:
    async def call(client: HttpClient, server: Server) -> None:
        counts = [client.calls_in_progress]
        answer = await get(client, server)
        counts.append(client.calls_in_progress)
        await answer.close()
        await whole(client, server)
        counts.append(client.calls_in_progress)
        assert counts == [0, 1, 0]

    talk(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi!", b"HTTP/1.1 204 No Content\r\nX: !\r\n\r\n"], call
    )


def test_a_path_is_quoted() -> None:
    async def call(client: HttpClient, server: Server) -> None:
        assert await whole(client, server) == (204, b"")
        assert server.heads[0].startswith(b"POST /a%20b?c=d HTTP/1.1\r\n")

    talk([b"HTTP/1.1 204 No Content\r\nX: !\r\n\r\n", None], call)


def test_an_interim_answer_is_skipped() -> None:
    answers = [b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi!"]
    assert talk(answers, whole) == (200, b"hi!")


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert talk([b"HTTP/1.1 200 OK\r\n\r\nhi", None], whole) == (200, b"hi")
    assert talk([b"HTTP/1.0 200 OK\r\n\r\nhi", None], whole) == (200, b"hi")


@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_a_body_with_a_length_does_not(framing: bytes) -> None:
    async def call(client: HttpClient, server: Server) -> bool:
        answer = await get(client, server)
        with pytest.raises(Cut) as caught:
            await body_of(answer)
        return caught.value.begun

    assert talk([b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n2\r\nhi", None], call)


def test_what_came_before_a_cut_is_read() -> None:
    async def call(client: HttpClient, server: Server) -> bytes:
        answer = await get(client, server)
        return await answer.read()

    assert talk([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", None], call) == b"hi"


def test_the_end_of_a_chunked_body_may_come_late() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [head + b"1;x=y\r\nh\r\n", b"1 \r\ni\r", b"\n0\r\nTrailer: t\r\n\r\n"]
    assert talk([*pieces, None], whole) == (200, b"hi")


def test_a_second_answer_is_not_taken_for_the_first() -> None:
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

    async def call(client: HttpClient, server: Server) -> int:
        assert await whole(client, server) == (200, b"hi")
        assert await whole(client, server) == (200, b"y!")
        return server.connections

    assert talk([one + b"HTTP/1.1 500 X\r\nContent-Length: 1\r\n\r\n!", one[:-2] + b"y!"], call) == 2


@pytest.mark.parametrize("close", [b"Connection: close\r\n", b""])
def test_connections_are_used_again_unless_the_server_closes(
    close: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_client, "_REST", 0.0)
    answer = b"HTTP/1.1 200 OK\r\n" + close + b"Content-Length: 1\r\n\r\n!"

    async def call(client: HttpClient, server: Server) -> int:
        await whole(client, server)
        await whole(client, server)
        return server.connections

    assert talk([answer, answer], call) == (2 if close else 1)


def test_an_idle_connection_is_used_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_KEEP_ALIVE", 0.0)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!"

    async def call(client: HttpClient, server: Server) -> int:
        await whole(client, server)
        await whole(client, server)
        return server.connections

    assert talk([answer, answer], call) == 2


def test_a_connection_given_up_is_not_used_again() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

    async def call(client: HttpClient, server: Server) -> int:
        await (await get(client, server)).close()
        assert await whole(client, server) == (200, b"2!")
        return server.connections

    assert talk([head + b"!", head + b"2!"], call) == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    ],
)
def test_what_is_not_http(answer: bytes) -> None:
    with pytest.raises(NotHttp):
        talk([answer, None], whole)


def test_a_body_that_nobody_reads_waits_at_the_server() -> None:
    size = 50_000_000

    async def call(client: HttpClient, server: Server) -> int:
        answer = await get(client, server)
        first = len(await answer.read())
        for _ in range(200):  # More turns of the event loop than the network needs to deliver data.
            await asyncio.sleep(0)
        second = len(await answer.read())
        rest = len(await body_of(answer))
        assert first + second + rest == size
        return second

    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    assert talk([head + bytes(size - 1) + b"!"], call) < 2_000_000


def test_a_machine_that_is_gone_is_noticed() -> None:
    async def call(client: HttpClient, server: Server) -> dict[str, int]:
        await whole(client, server)
        (connection,) = client._open
        connected = connection._transport.get_extra_info("socket")
        assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        present = {name: value for name, value in http_client._PROBES.items() if hasattr(socket, name)}
        assert present == {
            name: connected.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in present
        }
        return present

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!"
    assert sum(talk([answer], call).values()) > 0


def test_the_idle_timeout_starts_again_for_each_answer_of_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_client, "_REST", 0.0)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: "
    short = Timeouts(connect=5, first_byte=5, idle=0.05)

    async def call(client: HttpClient, server: Server) -> tuple[int, bytes, bool]:
        # The timer of the first answer has a long limit, so it fires too late for the second answer.
        first = await whole(client, server)
        url = f"http://127.0.0.1:{server.port}/"
        second = await client.request(target("POST", url), b"", short)
        with pytest.raises(Silence) as caught:
            await body_of(second)
        assert server.connections == 1
        return *first, caught.value.begun

    answers = [head + b"2\r\n\r\n1!", head + b"3\r\n\r\n2!", b"what never comes"]
    assert talk(answers, call) == (200, b"1!", True)


class Still:
    """Connection that receives nothing by itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.is_paused = False

    def finish(self, *, usable: bool) -> None:
        pass

    def overrun(self) -> None:
        pass

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def end(self) -> None:
        pass


def test_silence_while_nobody_read_is_not_the_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        connection = Still(asyncio.get_running_loop())
        answer = Answer(connection, _TIMEOUTS)
        answer.take(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(999_999))
        assert connection.is_paused
        long_after = connection.loop.time() + 100
        monkeypatch.setattr(connection.loop, "time", lambda: long_after)
        assert len(await answer.read()) == 999_999
        reading = asyncio.create_task(answer.read())
        await asyncio.sleep(0)
        assert answer.check(long_after) > 0
        answer.take(b"!")
        assert await reading == b"!"

    asyncio.run(scenario())
