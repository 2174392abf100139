"""Server-sent events: one frame per event, one write per batch."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antiphon.errors import AntiphonError
from antiphon.server.http.exchange import Linger, StoppedByDisconnect
from antiphon.wire.errors import ErrorEnvelope

_DONE = b"data: [DONE]\n\n"

_encoder = msgspec.json.Encoder()


class _Typed(msgspec.Struct):
    """The type of an event."""

    type: str


_typed = msgspec.json.Decoder(_Typed).decode


class _Heads(dict[type[msgspec.Struct], bytes]):
    """The first bytes of frames by the type of their event, filled as types occur."""

    def __missing__(self, event_type: type[msgspec.Struct]) -> bytes:
        head = self[event_type] = f"event: {event_type.__struct_config__.tag}\ndata: ".encode()
        return head


_HEADS = _Heads()


class Frames(NamedTuple):
    """Frames that leave in one write."""

    data: bytes | bytearray
    is_last: bool = False
    """Whether the stream ends with these frames."""


def event_frames(
    events: Sequence[msgspec.Struct], *, is_last: bool = False, ends_with_done: bool = True
) -> Frames:
    """Return the frames of a batch.

    A frame is a line `event:` with the type, a line `data:` with the JSON, and an empty line.

    Args:
        events: The events of the batch.
        is_last: Whether the stream ends with the batch.
        ends_with_done: Whether `[DONE]` follows the last batch.
    """
    buffer = bytearray()
    for event in events:
        buffer += _HEADS[type(event)]
        _encoder.encode_into(event, buffer, -1)
        buffer += b"\n\n"
    if is_last and ends_with_done:
        buffer += _DONE
    return Frames(buffer, is_last)


def stored_frames(events: list[bytes], *, is_last: bool) -> Frames:
    """Return the frames of events from the database, in OpenAI's form.

    Args:
        events: JSON texts of the events.
        is_last: Whether the stream ends with them.
    """
    frames = [b"event: %s\ndata: %s\n\n" % (_typed(event).type.encode(), event) for event in events]
    return Frames(b"".join(frames) + (_DONE if is_last else b""), is_last)


async def proxied_frames(
    first: list[bytes], batches: AsyncGenerator[list[bytes], None], *, ends_with_done: bool = True
) -> AsyncGenerator[Frames, None]:
    """Yield the frames of a backend's chunks.

    Args:
        first: Chunks that were read already.
        batches: The other chunks. An error of the backend becomes the last chunk.
        ends_with_done: Whether `[DONE]` follows the last chunk.
    """
    async with aclosing(batches):
        yield Frames(_chunk_frames(first))
        try:
            async for chunks in batches:
                yield Frames(_chunk_frames(chunks))
        except AntiphonError as error:
            yield Frames(_chunk_frames([_encoder.encode(ErrorEnvelope(error.body()))]))
        yield Frames(_DONE if ends_with_done else b"", is_last=True)


def _chunk_frames(chunks: list[bytes]) -> bytes:
    """Return the frames of chunks, which have no event names."""
    return b"".join([b"data: " + chunk + b"\n\n" for chunk in chunks])


class EventStream(Response):
    """Response that sends each of `frames` in one write.

    A client that disconnects cancels `frames`, and with them the call to the backend: at once, or when
    `linger` returns.
    """

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[Frames, None], linger: Linger | None = None) -> None:
        self._frames = frames
        self._linger = linger
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        begun = False
        with StoppedByDisconnect(scope, self._linger):
            async with aclosing(self._frames) as batches:
                async for frames in batches:
                    if not begun:
                        # Not before the first frame: a generator that has begun ends in order when cancelled.
                        begun = True
                        await send(
                            {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                        )
                    data, more = bytes(frames.data), not frames.is_last
                    await send({"type": "http.response.body", "body": data, "more_body": more})
