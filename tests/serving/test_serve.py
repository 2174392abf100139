"""The socket and the HTTP server, as settings make them."""

import socket
import sys

import pytest
from starlette.types import Receive, Scope, Send

from antiphon.serving.serve import http_server, listen
from antiphon.settings.schema import Settings

MEBIBYTE = 1024 * 1024


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("nobody asks")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, accepted sockets may not inherit options")
def test_the_kernel_looks_for_clients_that_are_lost() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@pytest.mark.parametrize(
    ("body", "frame"), [(1000, 2000), (8 * MEBIBYTE, 16 * MEBIBYTE), (100 * MEBIBYTE, 16 * MEBIBYTE)]
)
def test_a_websockets_message_is_bounded(body: int, frame: int) -> None:
    settings = Settings(database=":memory:", max_body_bytes=body)
    assert http_server(app, settings, grace=1).config.ws_max_size == frame
