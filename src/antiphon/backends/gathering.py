"""Non-streaming replies that are built from a stream."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import msgspec
from msgspec import Struct

from antiphon.backends.http.sse import MAX_EVENT_BYTES
from antiphon.backends.refusals import excerpt, failed_inside, speaks
from antiphon.engine.reply.whole import is_whole
from antiphon.errors import UpstreamBroken
from antiphon.settings.backends import BackendSettings
from antiphon.wire.json import JSON


class _Choice(Struct):
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice] | None = None
    error: JSON = None
    message: JSON = None
    """The error in the form of older servers, instead of `error`."""


_decode = msgspec.json.Decoder(_Chunk).decode


async def gather(
    backend: BackendSettings,
    batches: AsyncGenerator[list[bytes], None],
    fold: Callable[[Sequence[bytes]], bytes],
) -> bytes:
    """Return the chunks of a reply as one JSON text.

    Args:
        backend: The backend, for errors.
        batches: The chunks, in one batch per network read; perhaps a single complete reply.
        fold: Returns the complete reply that the chunks add up to.

    Raises:
        UpstreamError: The stream fails, contains an error, or ends before it is finished.
    """
    chunks: list[bytes] = []
    size, is_finished = 0, False
    async with aclosing(batches):
        async for batch in batches:
            size += sum(map(len, batch))
            if size > MAX_EVENT_BYTES:
                raise UpstreamBroken(speaks(backend, f"an answer of more than {MAX_EVENT_BYTES} bytes"))
            for data in batch:
                chunk = _decoded(backend, data)
                is_finished = is_finished or any(choice.finish_reason for choice in chunk.choices or ())
            chunks += batch
    if len(chunks) == 1 and is_whole(chunks[0]):
        return chunks[0]
    if not is_finished:
        raise UpstreamBroken(speaks(backend, "the reply ended without a finish_reason"))
    try:
        return fold(chunks)
    except UpstreamBroken as error:
        raise UpstreamBroken(speaks(backend, error.message)) from error


def _decoded(backend: BackendSettings, data: bytes) -> _Chunk:
    try:
        chunk = _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        text = f"a chunk of its answer is broken: {excerpt(data)}"
        raise UpstreamBroken(speaks(backend, text)) from error
    if chunk.error or (chunk.message and not chunk.choices):
        raise failed_inside(backend, chunk.error or chunk.message)
    return chunk
