"""The listening socket, and the end of its queue."""

import socket
import sys

import pytest

from antiphon.serving.sockets import address, has_waiting, listen, refuse_handshakes

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems can't do this")


@linux_only
def test_the_kernel_looks_for_clients_that_are_lost() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_an_address_is_a_url(host: str, shown: str) -> None:
    with listen(host, 0) as listener:
        assert address(listener) == f"http://{shown}:{listener.getsockname()[1]}"


def test_a_queue_with_a_connection_is_seen() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert not has_waiting(listener)
        with socket.create_connection(listener.getsockname()):
            assert has_waiting(listener)


@linux_only
def test_without_handshakes_those_in_the_queue_remain_and_no_other_comes() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as early:
        assert refuse_handshakes(listener)
        with socket.socket() as late:
            late.settimeout(0.05)
            with pytest.raises(TimeoutError):
                late.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            early.sendall(b"still here")
            assert accepted.recv(100) == b"still here"
        assert not has_waiting(listener)
