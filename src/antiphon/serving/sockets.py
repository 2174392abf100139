"""The listening socket: creation, and its end without losing a connection."""

import array
import selectors
import socket
import struct
import sys

_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
"""Socket options by which the kernel finds lost clients within two minutes."""
_QUEUE = 2048
"""Connections that may wait until the server accepts them."""

_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER of Linux (socket(7)), which Python doesn't name."""
_DROP_HANDSHAKES = (
    (0x30, 0, 0, 13),  # Load the flags of the TCP header.
    (0x54, 0, 0, 0x12),  # Keep SYN and ACK.
    (0x15, 0, 1, 0x02),  # SYN alone begins a handshake:
    (0x06, 0, 0, 0),  # drop it.
    (0x06, 0, 0, 0xFFFFFFFF),  # Keep everything else.
)
"""A program for the kernel's packet filter; https://docs.kernel.org/networking/filter.html."""


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free port.

    Raises:
        OSError: The address cannot be bound; the message is for the operator.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, asyncio sets TCP_NODELAY. Otherwise the body of a response could wait 40 ms
    # until the client has acknowledged the head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit the options.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):  # Not on all platforms.
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    try:
        listener.bind((host, port))
        listener.listen(_QUEUE)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener


def address(listener: socket.socket) -> str:
    """Return the URL of a listening socket, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def refuse_handshakes(listener: socket.socket) -> bool:
    """Let no further connection join the queue; those in the queue remain.

    The kernel has accepted the connections in the queue, and resets them when the socket closes. It would
    accept others until then. A client whose handshake is dropped repeats it a second later.

    Returns:
        Whether the platform can do this: Linux can.
    """
    if sys.platform != "linux":
        return False
    program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _DROP_HANDSHAKES))
    try:
        listener.setsockopt(
            socket.SOL_SOCKET,
            _ATTACH_FILTER,
            struct.pack("HP", len(_DROP_HANDSHAKES), program.buffer_info()[0]),
        )
    except OSError:  # A sandbox can forbid it.
        return False
    return True


def has_waiting(listener: socket.socket) -> bool:
    """Return whether connections wait in the queue."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        return bool(selector.select(0))
