"""Frames of the client: their kind, their lane, and their body."""

import re
from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from antiphon.decode.bounds import LONG
from antiphon.engine.slices import in_thread
from antiphon.errors import AntiphonError, InvalidRequest, RequestTooLarge
from antiphon.server.websocket.errors import InvalidStreamId

CREATE = "response.create"
"""The type of frames that request a response."""
STEER = "response.steer"
"""The type of frames with steering input."""

_STREAM_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_LONGEST = 2000
"""Bytes of the JSON of an ID or a type; a longer one is invalid."""
_NULL = Raw(b"null")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the client."""

    content: str | bytes
    type: str | None = None
    stream_id: str | None = None
    """The lane of the frame; None for the default lane."""
    continues: str | None = None
    """The response that a request continues."""
    error: AntiphonError | None = None
    """Reason to reject the frame."""

    def body(self, limit: int) -> bytes:
        """Return the JSON of the frame.

        Args:
            limit: Size limit in bytes.

        Raises:
            InvalidRequest: The frame is binary, or names no valid lane.
            RequestTooLarge: The frame is over the limit.
        """
        if self.error is not None:
            raise self.error
        if isinstance(self.content, bytes):
            raise InvalidRequest(
                "Unsupported frame: expected JSON as text, but got a binary frame.",
                code="unsupported_content_type",
            )
        body = self.content.encode()
        if len(body) > limit:
            raise RequestTooLarge(f"The frame is larger than {limit} bytes.")
        return body


class _Head(Struct):
    type: Raw = _NULL
    stream_id: Raw = _NULL
    previous_response_id: Raw = _NULL


_head = msgspec.json.Decoder(_Head)
_text = msgspec.json.Decoder(str)


async def frame_of(content: str | bytes) -> Frame:
    """Return a frame of this content, which may be invalid otherwise."""
    if isinstance(content, bytes):
        return Frame(content)
    try:
        head = (
            await in_thread(lambda: _head.decode(content)) if len(content) > LONG else _head.decode(content)
        )
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Frame(content)  # Its decoder explains the problem.
    stream_id = _string(head.stream_id)
    if bytes(head.stream_id) != b"null" and (stream_id is None or not _STREAM_ID.fullmatch(stream_id)):
        return Frame(content, error=InvalidStreamId())
    kind = _string(head.type)
    continues = _string(head.previous_response_id) if kind == CREATE else None
    return Frame(content, kind, stream_id, continues)


def _string(value: Raw) -> str | None:
    if len(encoded := bytes(value)) > _LONGEST:
        return None
    try:
        return _text.decode(encoded)
    except (msgspec.DecodeError, UnicodeError):
        return None
