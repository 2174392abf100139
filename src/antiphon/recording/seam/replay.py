"""The mode `replay`: recordings answer, and no backend or tool is called."""

from antiphon.engine.ports import ChatModel, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.recording.seam.modes import EndpointModel
from antiphon.recording.seam.player import AnswerPlayer, Player, ResultPlayer, ToolPlayer


class ReplayMode:
    """A `CallMode` that plays recordings.

    A model that is not recorded resolves too: its calls are misses, unless a fault is injected first.
    """

    def __init__(self, lookup: RecordingLookup, faults: Faults) -> None:
        self.lookup = lookup
        self._faults = faults

    async def model(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return a player; the id is a recorded name, or has a backend's name before it."""
        name, backend = self.lookup.recorded_model(model_id)
        player = Player(self.lookup, context, self.lookup.capabilities(name, backend), backend)
        return self._faults.wrap_model(ResolvedModel(player, name, model_id), context)

    async def endpoint_model(self, model_id: str, context: RequestContext) -> EndpointModel:
        """Return the model by its id, recorded or not."""
        return EndpointModel.of_recordings(model_id)

    def tools(self, inner: ToolCalls, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return a player; `inner` is never called."""
        return self._faults.wrap_tools(ToolPlayer(self.lookup, context), context, model.names)

    def play(self, call: RecordedCall, model: ResolvedModel, context: RequestContext) -> ChatModel:
        """Return a model that answers with one recorded call in place of `model`."""
        player = AnswerPlayer(call, self.lookup.speed, model.chat_model.capabilities)
        return self._faults.wrap_model(ResolvedModel(player, model.name, model.id), context).chat_model

    def play_result(self, call: RecordedCall, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return tool calls that answer with one recorded result."""
        return self._faults.wrap_tools(ResultPlayer(call, self.lookup.speed), context, model.names)
