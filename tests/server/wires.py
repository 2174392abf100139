"""Connections without a socket: a transport that notes writes, and a clock that a test advances."""

import asyncio
from collections.abc import Iterable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from antiphon.server.http.connection import HttpConnection, connections
from antiphon.wire.json import JSON


class Wire(asyncio.Transport):
    """Transport that notes groups of bytes that are written together, and whether it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.is_closed = False
        self.is_read = True

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

    def close(self) -> None:
        self.is_closed = True


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
