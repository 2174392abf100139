"""WebSocket connections, with bounds that uvicorn's protocol lacks."""

import asyncio

import msgspec
import uvicorn
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode

from antiphon.errors import RequestTooLarge
from antiphon.server.http.alarms import SendTimeout, Timers

_MAX_FRAGMENTS = 16 * 1024
"""Fragments of one message: even an empty one takes memory."""


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A connection that serves a WebSocket instead of HTTP.

    Frames may arrive with the handshake; they wait until it is complete. While data waits for the client, the
    server reads none, so that the pongs for its pings cannot pile up.
    """

    def __init__(self, config: uvicorn.Config, server_state: ServerState, timers: Timers) -> None:
        super().__init__(config, server_state, {})
        self._timers = timers
        self._sending: SendTimeout
        self._early: bytes | None = None
        """Data that arrived before the handshake was complete."""

    def take(self, transport: asyncio.Transport, head: bytes, early: bytes) -> bool:
        """Take over a connection, and return whether this is possible.

        Args:
            transport: Transport of the connection.
            head: Head of the request.
            early: Data that followed the head.
        """
        self.conn.receive_data(head)
        if self.conn.handshake_exc is not None:
            return False
        self._sending = SendTimeout(self._timers.send, transport)
        self.connection_made(transport)
        self.handle_events()  # Begins the application, or rejects the handshake.
        if not transport.is_closing():
            self._early = early
            transport.pause_reading()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the frames of the client at once.

        The parser and its connection refer to each other, and the garbage collector counts objects only.
        """
        super().connection_lost(exc)
        self._sending.end()
        self._early = None
        self.frames = []
        self.conn.parser.close()
        self.conn.reader.discard()

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        super().pause_writing()
        self._sending.begin()
        self._set_reading()

    def resume_writing(self) -> None:
        """Note that the client has caught up."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._sending.end()
        self._set_reading()

    def handle_cont(self, event: Frame) -> None:
        """Add a fragment of a message."""
        if len(self.frames) < _MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.transport.is_closing():
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """End a connection whose client breaks the protocol; a message that is too big gets an error first.

        The client may still be sending the message. Its data is read and dropped, because unread data would
        reset the connection before the client has read the error.
        """
        assert self.conn.close_sent is not None
        if self.close_sent:
            return
        if self.conn.close_sent.code != CloseCode.MESSAGE_TOO_BIG or not self.transport.can_write_eof():
            super().handle_parser_exception()
            return
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.MESSAGE_TOO_BIG})
        error = Frame(Opcode.TEXT, _too_big(self.config.ws_max_size)).serialize(mask=False)
        self.transport.write(error + b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Limit the time in which the client reads the last data."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._sending.begin()

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the application, as ASGI's `send`."""
        if self.close_sent:
            raise ClientDisconnected
        await super().send(message)
        if self._early is not None and self.handshake_complete:
            early, self._early = self._early, None
            self._set_reading()
            if early and not self.transport.is_closing():
                self.data_received(early)

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next message of the client, as ASGI's `receive`."""
        message = await super().receive()
        self._set_reading()
        return message

    def _set_reading(self) -> None:
        """Read from the connection unless there is a reason to wait."""
        if self.transport.is_closing():
            return
        if self.read_paused or self._early is not None or not self.writable.is_set():
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()


def _too_big(limit: int) -> bytes:
    """Return the error event for a message over the limit of a connection, in bytes or in fragments."""
    error = RequestTooLarge(f"The message is larger than {limit} bytes, or has too many fragments.")
    return msgspec.json.encode({"type": "error", "status": error.status, "error": error.body()})
