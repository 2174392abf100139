"""The models and tool calls of a server that records, replays or injects faults."""

from collections import Counter
from collections.abc import Mapping

from antiphon.engine.ports import Endpoint, ModelCatalogue, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConfigError, InvalidRequest
from antiphon.recording.calls.endpoints import path_of
from antiphon.recording.matching.nearest import printable
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.listing import listed_models, listed_providers
from antiphon.recording.seam.live import LiveMode
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.recording.seam.modes import NO_MODEL, CallMode
from antiphon.recording.seam.record import RecordMode
from antiphon.recording.seam.record_missing import RecordMissingMode
from antiphon.recording.seam.replay import ReplayMode
from antiphon.settings.schema import Mode, ReplayTools
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.models import BackendHealth, ModelList, Provider

_NAMED = 5
"""Files that a message names at most; it counts the others."""


class RecordingCatalogue:
    """A `ModelCatalogue` that passes the calls of each request to its mode."""

    def __init__(
        self,
        backends: ModelCatalogue | None,
        lookup: RecordingLookup | None,
        mode: Mode,
        faults: Faults,
        replay_tools: ReplayTools = "recorded",
    ) -> None:
        """Build the modes that are possible on this server.

        Args:
            backends: None for a server that only replays.
            lookup: None without a directory of recordings: every call is live.
            mode: The mode of requests that name none.
            faults: The fault rules of the server.
            replay_tools: The handling of tool calls in replay mode.

        Raises:
            ConfigError: The server only replays, and nothing is recorded.
        """
        self._backends = backends
        self.lookup = lookup
        """The recordings; None without a directory."""
        self.mode: Mode = mode
        """The mode of requests that name none."""
        self._faults = faults
        self._modes = _possible_modes(backends, lookup, faults, replay_tools)
        if backends is None and lookup is not None:
            collection = lookup.collection
            if next(collection.calls, None) is None:
                problems = "".join(f"\n  {printable(line)}" for line in _first(collection.problems))
                raise ConfigError(f"{collection.directory}: no recorded calls{problems}")

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model for the calls of one request."""
        return await self._mode_of(context).model(model_id, context)

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Return the answer of an endpoint, as the result of a tool call.

        Fault rules for models apply to it, by either name of the model.
        """
        mode, name = self._mode_of(context), request["model"]
        model = await mode.endpoint_model(name, context)
        calls = mode.tools(_EndpointCalls(self._backends, endpoint, context), context, model)
        arguments = {member: value for member, value in request.items() if member != "model"}
        answer: JSONObject = await calls.call(path_of(endpoint), name, arguments)
        return answer

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        """Return the tool calls of one request."""
        return self._mode_of(context).tools(inner, context, NO_MODEL)

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the embedding model for a request that names none, by the mode of the request."""
        return await self._mode_of(context).embedding_model(context)

    def begin(self, scope: str) -> None:
        """Start a scope (a test, a scenario) again, as if it had made no call."""
        self._faults.begin(scope)
        if self.lookup is not None:
            self.lookup.collection.begin(scope)

    async def list_models(self) -> ModelList:
        """Return the models of the backends; without backends, the recorded models."""
        if self._backends is not None:
            return await self._backends.list_models()
        return ModelList(data=[] if self.lookup is None else listed_models(self.lookup.collection))

    async def providers(self) -> list[Provider]:
        """Return the backends; without backends, the recordings and their backends."""
        if self._backends is not None:
            return await self._backends.providers()
        return [] if self.lookup is None else listed_providers(self.lookup.collection)

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        """Return the health of the backends; none without backends."""
        return [] if self._backends is None else await self._backends.backend_health(seconds)

    def calls_in_progress(self) -> int:
        """Return the number of calls of backends that are in progress; none without backends."""
        return 0 if self._backends is None else self._backends.calls_in_progress()

    def notices(self) -> list[str]:
        """Return lines for the operator: backends, recorded calls, unreadable files."""
        notices = [] if self._backends is None else self._backends.notices()
        if self.lookup is not None:
            collection = self.lookup.collection
            kinds = Counter(call.kind == "tool" for call in collection.calls)
            models, tools = kinds[False], kinds[True]
            counted = f"{models} model calls" + (f" and {tools} tool calls" if tools else "")
            notices.append(f"recordings: {counted} in {collection.directory}")
            notices += [f"unreadable: {printable(line)}" for line in _first(collection.problems)]
        return notices

    async def close(self) -> None:
        """Close the connections to backends."""
        if self._backends is not None:
            await self._backends.close()

    def _mode_of(self, context: RequestContext) -> CallMode:
        """Return the mode of a request.

        Raises:
            InvalidRequest: The mode needs backends or recordings, and the server has none.
        """
        name = context.mode or self.mode
        mode = self._modes.get(name)
        if mode is not None:
            return mode
        if self._backends is None and name != "replay":
            lacking, possible = "only replays", "replay"
        else:
            lacking, possible = "has no folder of recordings", "live"
        raise InvalidRequest(
            f"Mode {name!r} isn't possible, because this server {lacking}. Use {possible!r}.",
            code="recording_mode_not_possible",
            param="x-antiphon-recording",
        )


def _possible_modes(
    backends: ModelCatalogue | None,
    lookup: RecordingLookup | None,
    faults: Faults,
    replay_tools: ReplayTools,
) -> Mapping[Mode, CallMode]:
    """Return the modes whose backends and recordings the server has, by name."""
    modes: dict[Mode, CallMode] = {}
    if backends is not None:
        modes["live"] = live = LiveMode(backends, faults)
    if lookup is not None:
        modes["replay"] = replay = ReplayMode(lookup, faults, replay_tools)
    if backends is not None and lookup is not None:
        modes["record"] = RecordMode(live, lookup.collection, overwrite=True)
        adding = RecordMode(live, lookup.collection, overwrite=False)
        modes["record-missing"] = RecordMissingMode(replay, adding)
    return modes


class _EndpointCalls:
    """Requests to an endpoint of the backends as `ToolCalls`; the tool is the model."""

    def __init__(self, backends: ModelCatalogue | None, endpoint: Endpoint, context: RequestContext) -> None:
        self._backends = backends
        self._endpoint = endpoint
        self._context = context

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        assert self._backends is not None  # Without backends every mode plays recordings.
        return await self._backends.ask(self._endpoint, {**arguments, "model": name}, self._context)


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - _NAMED
    return lines if more <= 0 else [*lines[:_NAMED], f"and {more} more"]
