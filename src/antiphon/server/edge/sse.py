"""Server-sent events: one frame for each event, one write for each batch."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antiphon.errors import AntiphonError
from antiphon.server.http.disconnect import StoppedByDisconnect
from antiphon.wire.errors import ErrorEnvelope
from antiphon.wire.events import Event

DONE = b"data: [DONE]\n\n"

_encoder = msgspec.json.Encoder()


def event_frames(events: list[Event]) -> bytearray:
    """Returns the frames of a batch: `event:` with the type, `data:` with the JSON, an empty line."""
    buffer = bytearray()
    for event in events:
        buffer += _line(type(event))
        _encoder.encode_into(event, buffer, -1)
        buffer += b"\n\n"
    return buffer


async def proxied_frames(
    first: list[bytes], batches: AsyncGenerator[list[bytes], None]
) -> AsyncGenerator[bytes, None]:
    """Yields the frames of a backend's chunks, `first` and those that follow; an error is the last one."""
    async with aclosing(batches):
        yield _chunk_frames(first)
        try:
            async for chunks in batches:
                yield _chunk_frames(chunks)
        except AntiphonError as error:
            yield _chunk_frames([_encoder.encode(ErrorEnvelope(error.body()))])
        yield DONE


def _chunk_frames(chunks: list[bytes]) -> bytes:
    """The frames of chunks, which have no event names."""
    return b"".join([b"data: " + chunk + b"\n\n" for chunk in chunks])


class EventStream(Response):
    """Sends what `frames` yields, a write for each; the last of them ends with `DONE`.

    When the client goes away, `frames` is cancelled at once, and with it the call to the backend.
    `resources` are closed after the last frame, also if none was sent.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes | bytearray, None],
        resources: AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        self._frames = frames
        self._resources = resources or nullcontext()
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        with StoppedByDisconnect(scope):
            async with self._resources, aclosing(self._frames) as frames:
                async for frame in frames:
                    if not begun:
                        # Not before the first frame: what has begun ends in order when it is cancelled.
                        begun = True
                        await send(
                            {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                        )
                    more = not frame.endswith(DONE)
                    await send({"type": "http.response.body", "body": bytes(frame), "more_body": more})


_lines: dict[type, bytes] = {}


def _line(event_type: type[Event]) -> bytes:
    line = _lines.get(event_type)
    if line is None:
        line = _lines[event_type] = f"event: {event_type.__struct_config__.tag}\ndata: ".encode()
    return line
