"""The HTTP server of a process, and its end."""

import asyncio
import signal
import socket

import pytest
from starlette.types import Receive, Scope, Send

from antiphon.serving.http import HttpServer, http_server
from antiphon.serving.sockets import listen
from antiphon.settings.schema import Settings
from tests.server.wires import settled

MEBIBYTE = 1024 * 1024
REQUEST = b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n{}"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def server(*, is_worker: bool = False, max_body_bytes: int = MEBIBYTE) -> HttpServer:
    settings = Settings(database=":memory:", max_body_bytes=max_body_bytes)
    return http_server(app, settings, grace=1, is_worker=is_worker)


@pytest.mark.parametrize(
    ("body", "frame"), [(1000, 2000), (8 * MEBIBYTE, 16 * MEBIBYTE), (100 * MEBIBYTE, 16 * MEBIBYTE)]
)
def test_a_websockets_message_is_bounded(body: int, frame: int) -> None:
    assert server(max_body_bytes=body).config.ws_max_size == frame


@pytest.mark.parametrize("is_worker", [False, True])
def test_a_stopping_server_answers_every_connection_of_its_queue(is_worker: bool) -> None:
    async def scenario() -> list[bytes]:
        listener = listen("127.0.0.1", 0)
        http = server(is_worker=is_worker)
        serving = asyncio.create_task(http.serve([listener]))
        await settled()
        assert http.started
        clients = [socket.create_connection(listener.getsockname()) for _ in range(50)]
        for client in clients:  # The event loop accepts none of them before this block has ended.
            client.sendall(REQUEST)
        await http.shutdown([listener])
        http.should_exit = True
        http.started = False  # It has been shut down.
        await serving
        return [await asyncio.to_thread(_answer, client) for client in clients]

    answers = asyncio.run(scenario())
    assert len(answers) == 50
    assert {answer[:15] for answer in answers} == {b"HTTP/1.1 200 OK"}


def _answer(client: socket.socket) -> bytes:
    with client:
        client.settimeout(10)
        return client.recv(1000)


def test_ctrl_c_is_for_the_supervisor_of_a_worker() -> None:
    alone, worker = server(), server(is_worker=True)
    for http in (alone, worker):
        http.handle_exit(signal.SIGINT, None)
    assert (alone.should_exit, worker.should_exit) == (True, False)
    worker.handle_exit(signal.SIGTERM, None)
    assert worker.should_exit


def test_a_worker_stops_with_its_supervisor() -> None:
    async def scenario() -> bool:
        supervisor, worker = socket.socketpair()
        with supervisor, worker:
            http = server(is_worker=True)
            http.stop_with(worker.fileno())
            await asyncio.sleep(0)
            assert not http.should_exit
            supervisor.close()
            await settled()
            return http.should_exit

    assert asyncio.run(scenario())
