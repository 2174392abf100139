"""Connections without a socket: a transport that notes writes, and a clock that a test advances."""

import asyncio
from collections.abc import Iterable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from antiphon.server.http.connection import HttpConnection, connections
from antiphon.wire.json import JSON


class Wire(asyncio.Transport):
    """Transport that notes groups of bytes that are written together, and whether it is closed.

    `is_ended` is true if only its sending side is closed; `unsent` is the size of the data that waits for the
    client.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.is_closed = self.is_ended = self.is_aborted = False
        self.is_read = True
        self.unsent = 0
        self.protocol: asyncio.BaseProtocol | None = None

    def get_extra_info(self, name: str, default: JSON = None) -> JSON:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 80)}.get(name, default)

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def is_closing(self) -> bool:
        return self.is_closed

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        assert not self.is_closed
        self.seen.append(b"".join(pieces))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writelines([data])

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        assert not self.is_closed
        self.is_ended = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True


class TurnedLoop(asyncio.SelectorEventLoop):
    """Event loop whose clock a test can advance."""

    def __init__(self) -> None:
        super().__init__()
        self._turned = 0.0

    def time(self) -> float:
        return super().time() + self._turned

    def turn(self, seconds: float) -> None:
        self._turned += seconds


def connected(app: ASGIApp) -> tuple[HttpConnection, Wire]:
    """Return a connection to an application; this needs a running event loop."""
    config, state, wire = uvicorn.Config(app, lifespan="off", log_config=None), ServerState(), Wire()
    config.load()
    state.default_headers = [(b"date", b"today")]
    connection = connections()(config=config, server_state=state, app_state={})
    connection.connection_made(wire)
    return connection, wire


async def settled() -> None:
    """Let all tasks run that are due."""
    for _ in range(10):
        await asyncio.sleep(0)
