"""The models of a server that records, replays, or makes calls fail."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from antiphon.config import Capabilities, Mode
from antiphon.engine.ports import Call, ChatModel, ModelCatalogue, ResolvedModel, ToolCalls
from antiphon.errors import ConfigError, InvalidRequest, NotFound
from antiphon.recording.explain import printable
from antiphon.recording.faults import Faults, FaultyModel, FaultyTools
from antiphon.recording.index import Miss
from antiphon.recording.player import Player, ToolPlayer, play, play_result, play_whole
from antiphon.recording.recorder import Recorder, Tape, ToolRecorder
from antiphon.recording.replay import Replay
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.models import Model, ModelList

_EMBEDDINGS = "embeddings"
"""What stands as the provider of recorded embeddings."""
_NAMED = 5
"""How many files or models a message names; the rest is counted."""


class RecordingCatalogue:
    """A `ModelCatalogue` whose models are played, recorded or called, as each request's mode says.

    `backends` is None where nothing may be called: then everything is replayed. `replay` is None where there
    is no directory of recordings: then everything is live.
    """

    def __init__(
        self, backends: ModelCatalogue | None, replay: Replay | None, mode: Mode, faults: Faults
    ) -> None:
        """Raises `ConfigError` when everything is to be replayed and nothing is recorded."""
        self._backends = backends
        self._replay = replay
        self._mode = mode
        self._faults = faults
        if backends is None and replay is not None and not replay.collection.chats.models:
            problems = "".join(f"\n  {printable(line)}" for line in _named(replay.collection.problems))
            raise ConfigError(f"{replay.collection.directory}: no recorded chat completions{problems}")

    async def resolve(self, model_id: str, call: Call) -> ResolvedModel:
        """Finds a model; of recorded ones by its id, or by its id without the first segment."""
        found = await self._resolve(model_id, call)
        try:
            faulty = FaultyModel(found.chat_model, self._faults, call, (found.name, found.id))
        except ConfigError as error:
            raise InvalidRequest(str(error), code="invalid_value", param="x-antiphon-fault") from None
        return ResolvedModel(faulty, found.name, found.id) if faulty.rules else found

    async def embed(self, request: JSONObject, call: Call) -> JSONObject:
        """Returns embeddings: played, recorded or asked for, as the result of a tool call is."""
        arguments = {name: value for name, value in request.items() if name != "model"}
        calls = self.tool_calls(_EmbeddingCalls(self._backends, call), call)
        answer: JSONObject = await calls.call(_EMBEDDINGS, request["model"], arguments)
        return answer

    def tool_calls(self, inner: ToolCalls, call: Call) -> ToolCalls:
        """Returns the tool calls of a request: played, recorded or made, and failing where a rule says so."""
        calls = self._tool_calls(inner, call)
        try:
            faulty = FaultyTools(calls, self._faults, call)
        except ConfigError as error:
            raise InvalidRequest(str(error), code="invalid_value", param="x-antiphon-fault") from None
        return faulty if faulty.rules else calls

    async def list_models(self) -> ModelList:
        """Returns the backends' models, or the recorded ones where nothing may be called."""
        if self._backends is not None:
            return await self._backends.list_models()
        return ModelList(data=[Model(id=name, owned_by="recording") for name in self._recorded()])

    def notices(self) -> list[str]:
        """Returns lines for the operator: the backends, what is recorded, and what could not be read."""
        notices = [] if self._backends is None else self._backends.notices()
        if self._replay is not None:
            collection = self._replay.collection
            chats, tools = len(collection.chats.entries), len(collection.tools.entries)
            counted = f"{chats} model calls" + (f" and {tools} tool calls" if tools else "")
            notices.append(f"recordings: {counted} in {collection.directory}")
            notices += [f"unreadable: {printable(line)}" for line in _named(collection.problems)]
        return notices

    async def close(self) -> None:
        """Closes the connections to backends."""
        if self._backends is not None:
            await self._backends.close()

    def _tool_calls(self, inner: ToolCalls, call: Call) -> ToolCalls:
        mode, replay = call.mode or self._mode, self._replay
        if replay is None or (mode == "live" and self._backends is not None):
            return inner
        if mode == "replay" or self._backends is None:
            return ToolPlayer(replay, call)
        if mode == "record-missing":
            recorder = ToolRecorder(inner, Tape(replay.collection, call, anew=False))
            return _FillingTools(replay, recorder, call)
        return ToolRecorder(inner, Tape(replay.collection, call, anew=True))

    async def _resolve(self, model_id: str, call: Call) -> ResolvedModel:
        mode, replay, backends = call.mode or self._mode, self._replay, self._backends
        if backends is None and mode != "replay":
            raise _refused(f"This server only replays, so the mode {mode!r} is not possible.")
        if replay is None:
            if mode != "live":
                raise _refused(f"This server has no folder of recordings, which the mode {mode!r} needs.")
            assert backends is not None
            return await backends.resolve(model_id, call)
        if mode == "replay" or backends is None:
            return self._played(model_id, call, replay)
        if mode == "record-missing":
            return await self._played_or_recorded(model_id, call, replay, backends)
        found = await backends.resolve(model_id, call)
        if mode == "live":
            return found
        tape = Tape(replay.collection, call, anew=True)
        return ResolvedModel(Recorder(found.chat_model, tape), found.name, found.id)

    def _played(self, model_id: str, call: Call, replay: Replay) -> ResolvedModel:
        for name in (model_id, model_id.partition("/")[2]):
            capabilities = replay.capabilities(name)
            if capabilities is not None:
                return ResolvedModel(Player(replay, call, capabilities), name, model_id)
        raise NotFound(
            f"The model '{model_id[:200]}' is not recorded. "
            f"Recorded are: {', '.join(_named(self._recorded())) or 'none'}.",
            code="model_not_found",
            param="model",
        )

    async def _played_or_recorded(
        self, model_id: str, call: Call, replay: Replay, backends: ModelCatalogue
    ) -> ResolvedModel:
        try:
            found = await backends.resolve(model_id, call)
        except NotFound:
            # Without its backend a recorded model still answers what is recorded.
            return self._played(model_id, call, replay)
        recorder = Recorder(found.chat_model, Tape(replay.collection, call, anew=False))
        return ResolvedModel(_Filling(replay, recorder, call), found.name, found.id)

    def _recorded(self) -> list[str]:
        return [] if self._replay is None else sorted(self._replay.collection.chats.models)


class _Filling:
    """A `ChatModel` that plays what is recorded, and calls and records the rest."""

    def __init__(self, replay: Replay, recorder: ChatModel, call: Call) -> None:
        self._replay = replay
        self._recorder = recorder
        self._call = call

    @property
    def capabilities(self) -> Capabilities:
        return self._recorder.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        recorded = self._replay.find(cast(JSONObject, request), self._call)
        if isinstance(recorded, Miss):
            answer = self._recorder.stream(request)
        else:
            answer = play(recorded, request, self._replay.speed)
        async with aclosing(answer) as batches:
            async for chunks in batches:
                yield chunks

    async def complete(self, request: ChatRequest) -> bytes:
        recorded = self._replay.find(cast(JSONObject, request), self._call)
        if isinstance(recorded, Miss):
            return await self._recorder.complete(request)
        return await play_whole(recorded, self._replay.speed)


class _FillingTools:
    """`ToolCalls` that play what is recorded, and make and record the rest."""

    def __init__(self, replay: Replay, recorder: ToolCalls, call: Call) -> None:
        self._replay = replay
        self._recorder = recorder
        self._call = call

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        recorded = self._replay.find_result(provider, name, arguments, self._call)
        if isinstance(recorded, Miss):
            return await self._recorder.call(provider, name, arguments)
        return await play_result(recorded, self._replay.speed)


class _EmbeddingCalls:
    """Requests for embeddings as `ToolCalls`: the model's name is that of the tool."""

    def __init__(self, backends: ModelCatalogue | None, call: Call) -> None:
        self._backends = backends
        self._call = call

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        if self._backends is None:
            raise _refused("This server only replays, so no embeddings can be asked for.")
        return await self._backends.embed({**arguments, "model": name}, self._call)


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="recording_mode_not_possible", param="x-antiphon-recording")


def _named(names: list[str]) -> list[str]:
    more = len(names) - _NAMED
    return names if more <= 0 else [*names[:_NAMED], f"and {more} more"]
