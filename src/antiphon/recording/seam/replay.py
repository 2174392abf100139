"""The mode `replay`: recordings answer, and no backend is called."""

from antiphon.engine.ports import ChatModel, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.tools import is_web_search
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.recording.seam.modes import NO_MODEL, EndpointModel
from antiphon.recording.seam.player import AnswerPlayer, Player, ResultPlayer, ToolPlayer
from antiphon.settings.schema import ReplayTools
from antiphon.wire.json import JSON, JSONObject


class ReplayMode:
    """A `CallMode` that plays recordings.

    A model that is not recorded resolves too: its calls are misses, unless a fault is injected first.
    """

    def __init__(self, lookup: RecordingLookup, faults: Faults, tools: ReplayTools = "recorded") -> None:
        """Create the mode.

        Args:
            lookup: The recordings.
            faults: The fault rules of the server.
            tools: The handling of tool calls.
        """
        self.lookup = lookup
        self._faults = faults
        self._tools: ReplayTools = tools

    async def model(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return a player; the id is a recorded name, or has a backend's name before it."""
        name, backend = self.lookup.recorded_model(model_id)
        player = Player(self.lookup, context, self.lookup.capabilities(name, backend), backend)
        return self._faults.wrap_model(ResolvedModel(player, name, model_id), context)

    async def endpoint_model(self, model_id: str, context: RequestContext) -> EndpointModel:
        """Return the model by its id, recorded or not."""
        return EndpointModel.of_recordings(model_id)

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the only model whose embeddings are recorded in the scope."""
        return await self.lookup.embedding_model(context.scope)

    def tools(self, inner: ToolCalls, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return a player, which calls `inner` only if tools are live."""
        calls: ToolCalls = ToolPlayer(self.lookup, context)
        if self._tools == "live" and model is NO_MODEL:
            calls = _LiveTools(self, inner, context)
        return self._faults.wrap_tools(calls, context, model.names)

    def play(self, call: RecordedCall, model: ResolvedModel, context: RequestContext) -> ChatModel:
        """Return a model that answers with one recorded call in place of `model`."""
        player = AnswerPlayer(call, self.lookup.speed, model.chat_model.capabilities)
        return self._faults.wrap_model(ResolvedModel(player, model.name, model.id), context).chat_model

    def play_result(self, call: RecordedCall, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return tool calls that answer with one recorded result."""
        return self._faults.wrap_tools(ResultPlayer(call, self.lookup.speed), context, model.names)


class _LiveTools:
    """`ToolCalls` that play recorded web searches and make all other calls."""

    def __init__(self, replay: ReplayMode, inner: ToolCalls, context: RequestContext) -> None:
        self._lookup = replay.lookup
        self._inner = inner
        self._context = context

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the recorded result of a search, or the tool's result."""
        if is_web_search(provider, name):
            recorded = await self._lookup.find_result(provider, name, arguments, self._context)
            if recorded is not None:
                return await ResultPlayer(recorded, self._lookup.speed).call(provider, name, arguments)
        return await self._inner.call(provider, name, arguments)
