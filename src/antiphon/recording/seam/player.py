"""Playback: chat models and tool calls that recordings answer."""

from asyncio import sleep
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import chain, repeat
from typing import cast

import msgspec

from antiphon.engine.reply.whole import fold_chunks, fold_text_chunks, unfold_reply
from antiphon.engine.request_context import RequestContext
from antiphon.recording.calls.errors import exception_of
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

_BATCH = 32
"""Most chunks of one batch if playback doesn't wait between them."""


class Player:
    """A `ChatModel` over recordings, for the calls of one request.

    Recordings of `backend` have priority.
    """

    def __init__(
        self, lookup: RecordingLookup, context: RequestContext, capabilities: Capabilities, backend: str = ""
    ) -> None:
        self._lookup = lookup
        self._context = context
        self._capabilities = capabilities
        self._backend = backend

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the recorded backend, by which requests equal recorded ones."""
        return self._capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the recorded chunks or reply.

        Raises:
            RecordingNotFound: No recording answers the request.
            UpstreamError: The recorded error.
        """
        recorded = await self._lookup.get(cast(JSONObject, request), self._context, self._backend)
        async with aclosing(play(recorded, request, self._lookup.speed)) as batches:
            async for chunks in batches:
                yield chunks

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the recorded reply.

        Raises:
            RecordingNotFound: No recording answers the request.
            UpstreamError: The recorded error.
        """
        recorded = await self._lookup.get(cast(JSONObject, request), self._context, self._backend)
        return await play_reply(recorded, self._lookup.speed)


class ToolPlayer:
    """`ToolCalls` over recordings, for the calls of one request."""

    def __init__(self, lookup: RecordingLookup, context: RequestContext) -> None:
        self._lookup = lookup
        self._context = context

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the recorded result.

        Raises:
            RecordingNotFound: No recording answers the call.
            UpstreamError: The recorded error.
        """
        recorded = await self._lookup.get_result(provider, name, arguments, self._context)
        return await play_result(recorded, self._lookup.speed)


class AnswerPlayer:
    """A `ChatModel` that answers every request with one recorded call."""

    def __init__(self, recorded: RecordedCall, speed: float, capabilities: Capabilities) -> None:
        self._recorded = recorded
        self._speed = speed
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the backend."""
        return self._capabilities

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Return a generator of the recorded chunks or reply."""
        return play(self._recorded, request, self._speed)

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the recorded reply."""
        return await play_reply(self._recorded, self._speed)


class ResultPlayer:
    """`ToolCalls` that answer every call with one recorded result."""

    def __init__(self, recorded: RecordedCall, speed: float) -> None:
        self._recorded = recorded
        self._speed = speed

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the recorded result."""
        return await play_result(self._recorded, self._speed)


async def play(
    recorded: RecordedCall, request: ChatRequest, speed: float
) -> AsyncGenerator[list[bytes], None]:
    """Yield a recorded answer in batches of chunks.

    A request with `stream: true` gets a non-streaming reply as chunks. A recorded stream stays a stream in
    any case, so that neither chunks nor their order are lost.

    Args:
        recorded: The recorded call.
        request: The chat request that it answers.
        speed: 0 for no wait; else the factor by which playback is faster than the recorded call.

    Raises:
        AntiphonError: The recorded error, after the chunks before it.
    """
    chunks = recorded.payloads()
    if chunks and request.get("stream") and not recorded.streamed:
        options = request.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        chunks = unfold_reply(chunks[0], include_usage=include_usage)
    batch: list[bytes] = []
    for chunk, gap in zip(chunks, chain(recorded.gaps, repeat(0)), strict=False):
        waits = gap > 0 and speed > 0
        if batch and (waits or len(batch) == _BATCH):
            yield batch
            batch = []
            await sleep(0)  # Playback never waits for a read, so it lets other tasks run between batches.
        if waits:
            await sleep(gap / 1000 / speed)
        batch.append(chunk)
    if batch:
        yield batch
    if recorded.error is not None:
        raise exception_of(recorded.error)


async def play_reply(recorded: RecordedCall, speed: float) -> bytes:
    """Return a recorded answer as one reply.

    Raises:
        AntiphonError: The recorded error.
    """
    await _wait(recorded, speed)
    if recorded.error is not None:
        raise exception_of(recorded.error)
    chunks = recorded.payloads()
    return fold_chunks(chunks) if recorded.streamed else chunks[0]


async def play_result(recorded: RecordedCall, speed: float) -> JSON:
    """Return the recorded result of a tool call.

    Raises:
        AntiphonError: The recorded error.
    """
    await _wait(recorded, speed)
    if recorded.error is not None:
        raise exception_of(recorded.error)
    text = fold_text_chunks(recorded.payloads()) if recorded.streamed else recorded.parts[0]
    result: JSON = msgspec.json.decode(text)
    return result


async def _wait(recorded: RecordedCall, speed: float) -> None:
    if speed and recorded.gaps:
        await sleep(sum(recorded.gaps) / 1000 / speed)
