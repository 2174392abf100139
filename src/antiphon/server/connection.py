"""Connections of clients: where uvicorn's are not what we need.

The head of an answer leaves together with what follows it: uvicorn writes the two one after the other, and
each write is a call of the system and a packet. And requests that come before earlier ones are answered
(pipelining) wait at the client: uvicorn would read on with each that it begins, without end.
"""

import asyncio
from collections.abc import Callable, Sized

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = b"HTTP/1.1 "


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol over such connections."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        joined = JoinedHeads(transport, self.loop.call_soon)
        super().connection_made(joined)
        self.flow = _OneByOne(joined, self.pipeline)


class _OneByOne(FlowControl):
    """Reads on when no whole request waits for its turn."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if self.read_paused and not self._waiting:
            super().resume_reading()


class JoinedHeads(asyncio.Transport):
    """A transport that holds a head back until the next write, at most until the event loop's next turn.

    It has the methods that uvicorn uses.
    """

    def __init__(
        self, transport: asyncio.Transport, call_soon: Callable[[Callable[[], None]], object]
    ) -> None:
        self._transport = transport
        self._call_soon = call_soon
        self._head = b""
        # Nothing stands between these and who calls them for each request.
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.set_protocol = transport.set_protocol  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Writes `data`, after the head if one waits."""
        if self._head:
            head, self._head = self._head, b""
            self._transport.writelines((head, data))
        elif data[:9] == _HEAD:
            self._head = bytes(data)
            self._call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Closes the connection after what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head and not self._transport.is_closing():  # It may have been lost within this turn.
            head, self._head = self._head, b""
            self._transport.write(head)
