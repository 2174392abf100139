"""A backend in a thread that supports only HTTP/2, over TLS or with prior knowledge."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Sequence

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.support.listening import Listening

Pieces = Sequence[bytes]


class Http2Backend(Listening):
    """The server; it answers each request with the pieces that `answer` returns for its path.

    An answer that ends with an empty piece never ends. `requests` has the headers and the body of each
    request. A client that disconnects during an answer sets `left`.
    """

    def __init__(self, answer: Callable[[str], Pieces], tls: ssl.SSLContext | None = None) -> None:
        if tls is not None:
            tls.set_alpn_protocols(["h2"])
        super().__init__(tls=tls)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.left = threading.Event()
        self.answer = answer

    @property
    def base_url(self) -> str:
        """Base URL of the API."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(ProtocolError):
            await _Connection(self, reader, writer).serve()


class _Connection:
    """One connection of a client."""

    def __init__(
        self, backend: Http2Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._backend = backend
        self._reader = reader
        self._writer = writer
        self._state = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytearray] = {}
        self._open: set[int] = set()

    async def serve(self) -> None:
        """Answer requests until the client disconnects."""
        self._state.initiate_connection()
        self._writer.write(self._state.data_to_send())
        while data := await self._reader.read(65536):
            for event in self._state.receive_data(data):
                self._take(event)
            self._writer.write(self._state.data_to_send())
            await self._writer.drain()
        if self._open:
            self._backend.left.set()

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._heads[event.stream_id] = {str(name): str(value) for name, value in event.headers}
            self._bodies[event.stream_id] = bytearray()
        elif isinstance(event, DataReceived):
            self._bodies[event.stream_id] += event.data
            self._state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self._respond(event.stream_id)
        elif isinstance(event, StreamReset | ConnectionTerminated) and self._open:
            self._backend.left.set()

    def _respond(self, stream: int) -> None:
        head = self._heads.pop(stream)
        self._backend.requests.append((head, bytes(self._bodies.pop(stream))))
        pieces = self._backend.answer(head[":path"])
        kind = "application/json" if pieces[0].startswith(b"{") else "text/event-stream"
        self._state.send_headers(stream, [(":status", "200"), ("content-type", kind)])
        for piece in pieces:
            self._state.send_data(stream, piece)
        if pieces[-1]:
            self._state.end_stream(stream)
        else:
            self._open.add(stream)
