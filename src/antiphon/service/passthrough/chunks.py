"""Streams that are proxied from a backend, chunk by chunk."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec
from msgspec import Struct

from antiphon.engine.reply.errors import error_inside
from antiphon.errors import UpstreamBroken
from antiphon.wire.json import JSON, JSONObject


class _Choice(Struct):
    finish_reason: str | None = None
    message: JSONObject | None = None


class Chunk(Struct):
    """The fields of a chunk or a complete reply that the proxy reads."""

    choices: list[_Choice] | None = None
    """The choices, whose `finish_reason` marks the end of a reply."""
    error: JSON = None
    """The error of the backend inside a stream."""
    usage: JSON = None
    """The reported usage."""

    @property
    def is_whole_reply(self) -> bool:
        """Whether a backend without streaming sent a whole chat completion."""
        return any(choice.message is not None for choice in self.choices or ())


_decode = msgspec.json.Decoder(Chunk).decode


def decode_chunk(data: bytes) -> Chunk:
    """Return the fields of a chunk; an invalid one has none and is sent unchanged."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Chunk()


class ProxiedStream:
    """The chunks of a streamed reply, their number and the reported usage.

    Args:
        model_id: Public id of the model, for errors.
        batches: The chunks from the backend, in one batch per network read.
    """

    def __init__(self, model_id: str, batches: AsyncGenerator[list[bytes], None]) -> None:
        self.count = 0
        """Number of chunks so far."""
        self.usage: JSON = None
        """The latest usage that the backend reported."""
        self._model_id = model_id
        self._batches = batches

    async def chunks(
        self, unfold: Callable[[bytes], list[bytes]] | None = None
    ) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks in batches; `unfold` turns a whole chat completion into chunks.

        Raises:
            UpstreamError: The stream fails, contains an error, or ends before it is finished.
        """
        is_finished = False
        async with aclosing(self._batches) as batches:
            async for batch in batches:
                self.count += len(batch)
                chunks = batch
                for position, data in enumerate(batch):
                    chunk = decode_chunk(data)
                    self.usage = chunk.usage or self.usage
                    if chunk.error:
                        if batch[:position]:
                            yield batch[:position]
                        raise error_inside(self._model_id, chunk.error)
                    is_finished = is_finished or any(each.finish_reason for each in chunk.choices or ())
                    if unfold is not None and chunk.is_whole_reply:
                        chunks = unfold(data)
                yield chunks
        if not is_finished:
            raise UpstreamBroken(f"{self._model_id}: the reply ended without a finish_reason")
