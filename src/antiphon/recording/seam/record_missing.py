"""The mode `record-missing`: what is recorded is played, and the rest is called and recorded."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import cast

from antiphon.engine.ports import ChatModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.seam.player import play, play_result, play_whole
from antiphon.recording.seam.recorder import Recorder
from antiphon.recording.seam.replay import Replay
from antiphon.settings.schema import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject


class Filling:
    """A `ChatModel` that plays what is recorded, and leaves the rest to a recorder.

    `failing` makes what plays fail where a fault rule says so; the recorder's own model does so by itself.
    """

    def __init__(
        self,
        replay: Replay,
        recorder: Recorder,
        context: RequestContext,
        failing: Callable[[ChatModel], ChatModel],
    ) -> None:
        self._replay = replay
        self._recorder = recorder
        self._context = context
        self._failing = failing

    @property
    def capabilities(self) -> Capabilities:
        """Those of the backend."""
        return self._recorder.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields the recorded chunks, or those of the backend."""
        async with aclosing(self._chosen(request).stream(request)) as batches:
            async for chunks in batches:
                yield chunks

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the recorded reply, or the backend's."""
        return await self._chosen(request).complete(request)

    def _chosen(self, request: ChatRequest) -> ChatModel:
        recorded = self._replay.find(cast(JSONObject, request), self._context, self._recorder.backend)
        if recorded is None:
            return self._recorder
        return self._failing(_Played(recorded, self._replay.speed, self.capabilities))


class FillingTools:
    """`ToolCalls` that play what is recorded, and leave the rest to a recorder."""

    def __init__(
        self,
        replay: Replay,
        recorder: ToolCalls,
        context: RequestContext,
        failing: Callable[[ToolCalls], ToolCalls],
    ) -> None:
        self._replay = replay
        self._recorder = recorder
        self._context = context
        self._failing = failing

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Returns the recorded result, or the tool's."""
        recorded = self._replay.find_result(provider, name, arguments, self._context)
        if recorded is None:
            return await self._recorder.call(provider, name, arguments)
        played = self._failing(_PlayedResult(recorded, self._replay.speed))
        return await played.call(provider, name, arguments)


class _Played:
    """A `ChatModel` that gives one recorded answer."""

    def __init__(self, recorded: RecordedCall, speed: float, capabilities: Capabilities) -> None:
        self._recorded = recorded
        self._speed = speed
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        return play(self._recorded, request, self._speed)

    async def complete(self, request: ChatRequest) -> bytes:
        return await play_whole(self._recorded, self._speed)


class _PlayedResult:
    """`ToolCalls` that give one recorded result."""

    def __init__(self, recorded: RecordedCall, speed: float) -> None:
        self._recorded = recorded
        self._speed = speed

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        return await play_result(self._recorded, self._speed)
