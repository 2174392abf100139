"""The HTTP server of one process, and its end."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from antiphon.server.http.connection import connections
from antiphon.serving.sockets import has_waiting, refuse_handshakes
from antiphon.settings.schema import Settings

_MAX_FRAME = 16 * 1024 * 1024
"""Size limit of WebSocket messages in bytes: a connection buffers a whole one before it is read."""
_HANDSHAKE = 0.01
"""Seconds in which handshakes that have begun end: several round trips to a proxy of the same site."""
_LONGEST_QUEUE = 1.0
"""Seconds in which a stopping server accepts the connections of its queue, at most."""


class HttpServer(uvicorn.Server):
    """HTTP server that serves every connection that the kernel has accepted for it.

    Args:
        config: uvicorn's configuration.
        is_worker: Whether a supervisor owns the listening socket, and receives Ctrl-C.
    """

    def __init__(self, config: uvicorn.Config, *, is_worker: bool = False) -> None:
        super().__init__(config)
        self._is_worker = is_worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order; the second Ctrl-C stops at once."""
        if self._is_worker and sig == signal.SIGINT:
            return  # The terminal sends it to the supervisor, too, which passes a SIGTERM on.
        super().handle_exit(sig, frame)

    def stop_with(self, supervisor: int) -> None:
        """Stop in order when the supervisor has ended; its file descriptor is readable then."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.remove_reader(supervisor)
            self.should_exit = True

        loop.add_reader(supervisor, stop)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept the connections that wait, then stop as uvicorn does."""
        for listener in sockets or ():
            await self._empty(listener)
        await super().shutdown(sockets)

    async def _empty(self, listener: socket.socket) -> None:
        """Wait until the event loop has accepted all connections that the kernel has accepted."""
        # The filter belongs to the socket, which the workers of a supervisor share.
        if not self._is_worker:
            refuse_handshakes(listener)
        loop = asyncio.get_running_loop()
        until = loop.time() + _LONGEST_QUEUE
        await asyncio.sleep(_HANDSHAKE)
        while has_waiting(listener) and loop.time() < until:  # noqa: ASYNC110 (nothing tells when it is empty)
            await asyncio.sleep(0)


def http_server(app: ASGIApp, settings: Settings, *, grace: int, is_worker: bool = False) -> HttpServer:
    """Return the HTTP server for an application.

    Args:
        app: The application.
        settings: Settings in effect.
        grace: Seconds that open streams have to end after the server received a signal to stop.
        is_worker: Whether a supervisor owns the listening socket.
    """
    config = uvicorn.Config(
        app,
        http=connections(settings.send_timeout),  # type: ignore[arg-type]  # uvicorn only calls it.
        lifespan="off",
        ws="none",  # The connections open WebSockets themselves.
        # The application rejects a frame over the limit with a message. A frame of more than twice the
        # limit ends the connection before it is read.
        ws_max_size=min(2 * settings.max_body_bytes, _MAX_FRAME),
        # Compressing each of the small events costs more than it saves.
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace,
    )
    return HttpServer(config, is_worker=is_worker)
