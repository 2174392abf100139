"""The mode `record-missing`: calls without a recording are made and recorded."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from antiphon.engine.ports import ChatModel, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import NotFound
from antiphon.recording.seam.modes import EndpointModel
from antiphon.recording.seam.record import RecordMode, backend_of
from antiphon.recording.seam.replay import ReplayMode
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject


class RecordMissingMode:
    """A `CallMode` that chooses between replay and record for each call.

    A recorded model resolves without its backend too: its recordings answer, and other calls are misses.
    """

    def __init__(self, replay: ReplayMode, record: RecordMode) -> None:
        self._replay = replay
        self._record = record

    async def model(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the backend's model; without a backend, the recorded model."""
        try:
            found = await self._record.model(model_id, context)
        except NotFound:
            if not self._replay.lookup.has_model(model_id):
                raise
            return await self._replay.model(model_id, context)
        model = RecordMissingModel(self._replay, found, context)
        return ResolvedModel(model, found.name, found.id, judge_url=found.judge_url)

    async def endpoint_model(self, model_id: str, context: RequestContext) -> EndpointModel:
        """Return the backend's model; without a backend, the model by its id."""
        try:
            return await self._record.endpoint_model(model_id, context)
        except NotFound:
            return await self._replay.endpoint_model(model_id, context)

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the recorded model, or else the only one of the backends."""
        recorded = await self._replay.embedding_model(context)
        return recorded or await self._record.embedding_model(context)

    def tools(self, inner: ToolCalls, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return tool calls that recordings answer first."""
        recording = self._record.tools(inner, context, model)
        return RecordMissingTools(self._replay, recording, context, model)


class RecordMissingModel:
    """A `ChatModel` that plays recorded calls and records the others."""

    def __init__(self, replay: ReplayMode, recording: ResolvedModel, context: RequestContext) -> None:
        self._replay = replay
        self._recording = recording
        self._context = context

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the backend."""
        return self._recording.chat_model.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the recorded chunks, or the backend's."""
        chosen = await self._choose(request)
        async with aclosing(chosen.stream(request)) as batches:
            async for chunks in batches:
                yield chunks

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the recorded reply, or the backend's."""
        return await (await self._choose(request)).complete(request)

    async def _choose(self, request: ChatRequest) -> ChatModel:
        backend = backend_of(self._recording)
        recorded = await self._replay.lookup.find(cast(JSONObject, request), self._context, backend)
        if recorded is None:
            return self._recording.chat_model
        return self._replay.play(recorded, self._recording, self._context)


class RecordMissingTools:
    """`ToolCalls` that play recorded calls and record the others."""

    def __init__(
        self, replay: ReplayMode, recording: ToolCalls, context: RequestContext, model: EndpointModel
    ) -> None:
        self._replay = replay
        self._recording = recording
        self._context = context
        self._model = model

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the recorded result, or the tool's."""
        recorded = await self._replay.lookup.find_result(provider, name, arguments, self._context)
        if recorded is None:
            return await self._recording.call(provider, name, arguments)
        played = self._replay.play_result(recorded, self._context, self._model)
        return await played.call(provider, name, arguments)
