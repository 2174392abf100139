"""The models of a server that records, replays, or makes calls fail."""

from dataclasses import dataclass

from antiphon.engine.ports import ChatModel, Endpoint, ModelCatalogue, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConfigError, InvalidRequest, NotFound
from antiphon.recording.calls.endpoints import path_of
from antiphon.recording.matching.nearest import printable
from antiphon.recording.seam.faults import Faults, FaultyModel, FaultyTools
from antiphon.recording.seam.listing import listed_models, listed_providers
from antiphon.recording.seam.player import Player, ToolPlayer
from antiphon.recording.seam.record_missing import Filling, FillingTools
from antiphon.recording.seam.recorder import Recorder, Tape, ToolRecorder, backend_of
from antiphon.recording.seam.replay import Replay
from antiphon.settings.schema import Mode
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.models import ModelList, Provider

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
        if backends is None and replay is not None:
            collection = replay.collection
            if not (collection.chats.models or collection.tools.entries):
                problems = "".join(f"\n  {printable(line)}" for line in _named(collection.problems))
                raise ConfigError(f"{collection.directory}: no recorded calls{problems}")

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Finds a model; of recorded ones by its id, or by its id without the first segment.

        A model that is not recorded is found in replay, too: what is asked of it is a miss.
        """
        mode, replay, backends = context.mode or self._mode, self._replay, self._backends
        if backends is None and mode != "replay":
            raise _refused(f"This server only replays, so the mode {mode!r} is not possible.")
        if replay is None:
            if mode != "live":
                raise _refused(f"This server has no folder of recordings, which the mode {mode!r} needs.")
            assert backends is not None
            return self._failing(await backends.resolve(model_id, context), context)
        if mode == "replay" or backends is None:
            return self._played(model_id, context, replay)
        if mode == "record-missing":
            return await self._played_or_recorded(model_id, context, replay, backends)
        found = self._failing(await backends.resolve(model_id, context), context)
        if mode == "live":
            return found
        recorder = Recorder(found.chat_model, Tape(replay.collection, context, anew=True), backend_of(found))
        return ResolvedModel(recorder, found.name, found.id)

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Returns an answer: played, recorded or asked for, as the result of a tool call is.

        Fault rules for models are about it, by either of the model's names.
        """
        asked = request["model"]
        model = await self._called(asked, context)
        names = (asked, asked.partition("/")[2]) if model is None else (model.name, model.id)
        arguments = {name: value for name, value in request.items() if name != "model"}
        calls = self._calls(_Asking(self._backends, endpoint, context), context, _Asked(names, model))
        answer: JSONObject = await calls.call(path_of(endpoint), asked, arguments)
        return answer

    async def _called(self, model_id: str, context: RequestContext) -> ResolvedModel | None:
        """Returns the model that an endpoint is asked for; None where it is played alone."""
        mode = context.mode or self._mode
        if self._backends is None or mode == "replay":
            return None
        try:
            return await self._backends.resolve(model_id, context)
        except NotFound:
            if mode != "record-missing":
                raise
            return None  # Without its backend it still answers what is recorded.

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        """Returns the tool calls of a request: played, recorded or made, and failing where a rule says so."""
        return self._calls(inner, context, _Asked())

    def _calls(self, inner: ToolCalls, context: RequestContext, asked: "_Asked") -> ToolCalls:
        mode, replay = context.mode or self._mode, self._replay

        def failing(calls: ToolCalls) -> ToolCalls:
            return self._failing_tools(calls, context, asked.names)

        if replay is None or (mode == "live" and self._backends is not None):
            return failing(inner)
        if mode == "replay" or self._backends is None:
            return failing(ToolPlayer(replay, context))
        recorder = ToolRecorder(
            failing(inner), Tape(replay.collection, context, anew=mode == "record"), asked.model
        )
        return recorder if mode == "record" else FillingTools(replay, recorder, context, failing)

    def begin(self, scope: str) -> None:
        """Begins a scope (a test, a scenario) once more, as if nothing had been asked in it."""
        self._faults.begin(scope)
        if self._replay is not None:
            self._replay.collection.begin(scope)

    async def list_models(self) -> ModelList:
        """Returns the backends' models, or the recorded ones where nothing may be called."""
        if self._backends is not None:
            return await self._backends.list_models()
        return ModelList(data=[] if self._replay is None else listed_models(self._replay.collection))

    async def providers(self) -> list[Provider]:
        """Returns the backends, or the recordings and whose they are where nothing may be called."""
        if self._backends is not None:
            return await self._backends.providers()
        return [] if self._replay is None else listed_providers(self._replay.collection)

    def notices(self) -> list[str]:
        """Returns lines for the operator: the backends, what is recorded, and what could not be read."""
        notices = [] if self._backends is None else self._backends.notices()
        if self._replay is not None:
            collection = self._replay.collection
            tools = sum(entry.call.kind == "tool" for entry in collection.tools.entries)
            models = len(collection.chats.entries) + len(collection.tools.entries) - tools
            counted = f"{models} model calls" + (f" and {tools} tool calls" if tools else "")
            notices.append(f"recordings: {counted} in {collection.directory}")
            notices += [f"unreadable: {printable(line)}" for line in _named(collection.problems)]
        return notices

    async def close(self) -> None:
        """Closes the connections to backends."""
        if self._backends is not None:
            await self._backends.close()

    def _failing(self, found: ResolvedModel, context: RequestContext) -> ResolvedModel:
        """Returns a model that fails where a rule says so. What is recorded of it is how it failed."""
        try:
            faulty = FaultyModel(found.chat_model, self._faults, context, (found.name, found.id))
        except ConfigError as error:
            raise _wrong_fault(error) from None
        return ResolvedModel(faulty, found.name, found.id) if faulty.rules else found

    def _failing_tools(self, calls: ToolCalls, context: RequestContext, models: tuple[str, ...]) -> ToolCalls:
        try:
            faulty = FaultyTools(calls, self._faults, context, models)
        except ConfigError as error:
            raise _wrong_fault(error) from None
        return faulty if faulty.rules else calls

    def _played(self, model_id: str, context: RequestContext, replay: Replay) -> ResolvedModel:
        # What is asked of a model that is not recorded is a miss, unless a tool is recorded to fail before.
        name, backend = replay.recorded_model(model_id)
        player = Player(replay, context, replay.capabilities(name, backend), backend)
        return self._failing(ResolvedModel(player, name, model_id), context)

    async def _played_or_recorded(
        self, model_id: str, context: RequestContext, replay: Replay, backends: ModelCatalogue
    ) -> ResolvedModel:
        try:
            found = await backends.resolve(model_id, context)
        except NotFound:
            # Without its backend a recorded model still answers what is recorded.
            if not any(name in self._recorded() for name in (model_id, model_id.partition("/")[2])):
                raise
            return self._played(model_id, context, replay)
        failing = self._failing(found, context)
        recorder = Recorder(
            failing.chat_model, Tape(replay.collection, context, anew=False), backend_of(found)
        )

        def fail(played: ChatModel) -> ChatModel:
            return self._failing(ResolvedModel(played, found.name, found.id), context).chat_model

        return ResolvedModel(Filling(replay, recorder, context, fail), found.name, found.id)

    def _recorded(self) -> list[str]:
        if self._replay is None:
            return []
        collection = self._replay.collection
        return sorted({*collection.chats.models, *collection.tools.models})


@dataclass(frozen=True)
class _Asked:
    """The model that an endpoint is asked for: its names, and what it is, if it may be called."""

    names: tuple[str, ...] = ()
    model: ResolvedModel | None = None


class _Asking:
    """Requests to an endpoint as `ToolCalls`: the model stands for the tool."""

    def __init__(self, backends: ModelCatalogue | None, endpoint: Endpoint, context: RequestContext) -> None:
        self._backends = backends
        self._endpoint = endpoint
        self._context = context

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        if self._backends is None:
            raise _refused(f"This server only replays, so no {self._endpoint} can be asked for.")
        return await self._backends.ask(self._endpoint, {**arguments, "model": name}, self._context)


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="recording_mode_not_possible", param="x-antiphon-recording")


def _wrong_fault(error: ConfigError) -> InvalidRequest:
    return InvalidRequest(str(error), code="invalid_value", param="x-antiphon-fault")


def _named(names: list[str]) -> list[str]:
    more = len(names) - _NAMED
    return names if more <= 0 else [*names[:_NAMED], f"and {more} more"]
