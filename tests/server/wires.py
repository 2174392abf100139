"""Connections without a socket: what is written on them, and a clock that only a test turns."""

import asyncio
from collections.abc import Iterable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from antiphon.server.http.connection import HttpConnection, connections
from antiphon.wire.json import JSON


class Wire(asyncio.Transport):
    """A transport that notes what is written together, and that it is closed."""

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
    """An event loop whose clock is turned on by hand, too."""

    def __init__(self) -> None:
        super().__init__()
        self._turned = 0.0

    def time(self) -> float:
        return super().time() + self._turned

    def turn(self, seconds: float) -> None:
        self._turned += seconds


def connected(app: ASGIApp) -> tuple[HttpConnection, Wire]:
    """Returns a connection to an application; needs a running event loop."""
    config, state, wire = uvicorn.Config(app, lifespan="off", log_config=None), ServerState(), Wire()
    config.load()
    state.default_headers = [(b"date", b"today")]
    connection = connections()(config=config, server_state=state, app_state={})
    connection.connection_made(wire)
    return connection, wire


async def settled() -> None:
    """Lets all that is due happen."""
    for _ in range(10):
        await asyncio.sleep(0)
