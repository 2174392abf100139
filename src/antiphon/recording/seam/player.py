"""Replay: a chat model that answers from recordings and opens no connection."""

from asyncio import sleep
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import chain, repeat
from typing import cast

import msgspec

from antiphon.engine.reply.whole import fold_chunks, unfold_reply
from antiphon.engine.request_context import RequestContext
from antiphon.recording.calls.endpoints import joined
from antiphon.recording.calls.errors import raised
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.seam.replay import Replay
from antiphon.settings.schema import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

_AT_ONCE = 32
"""How many chunks come at once where nothing waits."""


class Player:
    """A `ChatModel` over recorded calls, for the calls of one request; those of `backend` go first."""

    def __init__(
        self, replay: Replay, context: RequestContext, capabilities: Capabilities, backend: str = ""
    ) -> None:
        self._replay = replay
        self._context = context
        self._capabilities = capabilities
        self._backend = backend

    @property
    def capabilities(self) -> Capabilities:
        """Those of the backend that was recorded, so that requests are worded as they were."""
        return self._capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields the recorded chunks or reply; raises `RecordingNotFound`, or the recorded error."""
        recorded = self._replay.get(cast(JSONObject, request), self._context, self._backend)
        async with aclosing(play(recorded, request, self._replay.speed)) as batches:
            async for chunks in batches:
                yield chunks

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the recorded reply; raises `RecordingNotFound`, or the recorded error."""
        recorded = self._replay.get(cast(JSONObject, request), self._context, self._backend)
        return await play_whole(recorded, self._replay.speed)


class ToolPlayer:
    """`ToolCalls` that are answered from recordings, for the calls of one request."""

    def __init__(self, replay: Replay, context: RequestContext) -> None:
        self._replay = replay
        self._context = context

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Returns the recorded result; raises `RecordingNotFound`, or the recorded error."""
        recorded = self._replay.get_result(provider, name, arguments, self._context)
        return await play_result(recorded, self._replay.speed)


async def play(
    recorded: RecordedCall, request: ChatRequest, speed: float
) -> AsyncGenerator[list[bytes], None]:
    """Yields a recorded answer as chunks, some at once; a recorded error is raised where it came.

    A reply in one piece stays so if no stream is asked for. A stream stays one in any case: nothing of it,
    and of the order in which it came, is lost so.

    With `speed` 0 nothing waits; with 1 what one read brought comes with the recorded gap, with 2 twice as
    fast.
    """
    chunks = recorded.payloads()
    if chunks and request.get("stream") and not recorded.streamed:
        options = request.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        chunks = unfold_reply(chunks[0], include_usage=include_usage)
    batch: list[bytes] = []
    for chunk, gap in zip(chunks, chain(recorded.gaps, repeat(0)), strict=False):
        waits = gap > 0 and speed > 0
        if batch and (waits or len(batch) == _AT_ONCE):
            yield batch
            batch = []
            await sleep(0)  # No read ever waits here, and others want to run between two batches.
        if waits:
            await sleep(gap / 1000 / speed)
        batch.append(chunk)
    if batch:
        yield batch
    if recorded.error is not None:
        raise raised(recorded.error)


async def play_whole(recorded: RecordedCall, speed: float) -> bytes:
    """Returns a recorded answer in one piece, or raises the recorded error."""
    await _wait(recorded, speed)
    if recorded.error is not None:
        raise raised(recorded.error)
    chunks = recorded.payloads()
    return fold_chunks(chunks) if recorded.streamed else chunks[0]


async def play_result(recorded: RecordedCall, speed: float) -> JSON:
    """Returns the recorded result of a tool, or raises the recorded error."""
    await _wait(recorded, speed)
    if recorded.error is not None:
        raise raised(recorded.error)
    if recorded.streamed:
        return joined(recorded.payloads())
    result: JSON = msgspec.json.decode(recorded.parts[0])
    return result


async def _wait(recorded: RecordedCall, speed: float) -> None:
    if speed and recorded.gaps:
        await sleep(sum(recorded.gaps) / 1000 / speed)
