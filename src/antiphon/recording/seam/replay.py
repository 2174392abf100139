"""A collection that answers, in the way that the server is set up."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from antiphon.engine.request_context import RequestContext
from antiphon.errors import RecordingNotFound
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.matching.chats import Hit, Miss
from antiphon.recording.matching.nearest import explain_miss
from antiphon.recording.matching.sequence import Entry
from antiphon.settings.schema import Capabilities
from antiphon.wire.json import JSONObject

WORDED_FOR = Capabilities(think_tags=False)
"""What a recorded model takes where its recording does not say: everything, as OpenAI's models do."""


class Replay:
    """Finds recordings for requests, and tells the request's log line and the hit log which."""

    def __init__(self, collection: Collection, *, speed: float = 0.0, hit_log: Path | None = None) -> None:
        self.collection = collection
        self.speed = speed
        self._hit_log = hit_log

    def find(self, request: JSONObject, context: RequestContext, backend: str = "") -> RecordedCall | None:
        """Return the recording that answers a chat request, or None.

        Of several recordings those of the `backend` go first.

        Raises:
            RecordingNotFound: The request is nested too deeply to be compared.
        """
        found = self._chat(request, context, backend)
        if isinstance(found, Hit):
            return self._noted(found, context)
        context.observer.missed(None)
        return None

    def get(self, request: JSONObject, context: RequestContext, backend: str = "") -> RecordedCall:
        """Return the recording that answers a chat request, as `find` does.

        Raises:
            RecordingNotFound: Nothing answers; the error shows the nearest recording.
        """
        found = self._chat(request, context, backend)
        if isinstance(found, Hit):
            return self._noted(found, context)
        raise _not_found(found, self.collection.chats.entries, context)

    def find_result(
        self, provider: str, name: str, arguments: JSONObject, context: RequestContext
    ) -> RecordedCall | None:
        """Return the recording that answers a tool call, or None.

        Raises:
            RecordingNotFound: The arguments are nested too deeply to be compared.
        """
        found = self._tool(provider, name, arguments, context)
        if isinstance(found, Hit):
            return self._noted(found, context)
        context.observer.missed(None)
        return None

    def get_result(
        self, provider: str, name: str, arguments: JSONObject, context: RequestContext
    ) -> RecordedCall:
        """Return the recording that answers a tool call.

        Raises:
            RecordingNotFound: Nothing answers; the error shows the nearest recording.
        """
        found = self._tool(provider, name, arguments, context)
        if isinstance(found, Hit):
            return self._noted(found, context)
        raise _not_found(found, self.collection.tools.entries, context)

    def recorded_model(self, model_id: str) -> tuple[str, str]:
        """Returns the name under which a model is recorded, and the backend that the id names.

        That is the id, or the id without its first segment; of a model that is not recorded, the id.
        """
        backend, _, name = model_id.partition("/")
        models = self.collection.chats.models
        return (name, backend) if model_id not in models and name in models else (model_id, "")

    def capabilities(self, model: str, backend: str = "") -> Capabilities:
        """Returns what the backend of a recorded model took; of any other model, what OpenAI's take.

        Of several backends it is the named one, or else the first that was recorded.
        """
        switches = self.collection.chats.models.get(model)
        if switches is None:
            return WORDED_FOR
        metadata = switches.get(backend, next(iter(switches.values())))
        try:
            return msgspec.convert({**msgspec.structs.asdict(WORDED_FOR), **metadata}, Capabilities)
        except msgspec.ValidationError:  # A later version knows of more.
            return WORDED_FOR

    def _chat(self, request: JSONObject, context: RequestContext, backend: str) -> Hit | Miss:
        try:
            return self.collection.chats.find(request, context.scope, backend)
        except RecursionError:
            raise _too_deep(context) from None

    def _tool(self, provider: str, name: str, arguments: JSONObject, context: RequestContext) -> Hit | Miss:
        try:
            return self.collection.tools.find(provider, name, arguments, context.scope)
        except RecursionError:
            raise _too_deep(context) from None

    def _noted(self, found: Hit, context: RequestContext) -> RecordedCall:
        context.observer.hit(found.how, found.call.name, found.rules)
        if self._hit_log is not None:
            line = {
                "file": found.call.file,
                "call": found.call.number,
                "scope": context.scope,
                "how": found.how,
            }
            with self._hit_log.open("ab") as log:
                log.write(msgspec.json.encode(line) + b"\n")
        return found.call


def _not_found(miss: Miss, entries: Iterable[Entry], context: RequestContext) -> RecordingNotFound:
    """Return the error for a miss, which the observer learns as well."""
    explained = explain_miss(miss.canonical, [(entry.call, entry.canonical) for entry in entries], miss.used)
    context.observer.missed(explained.difference)
    return RecordingNotFound(explained.message)


def _too_deep(context: RequestContext) -> RecordingNotFound:
    context.observer.missed(None)
    return RecordingNotFound("No recording answers this call: it is nested too deeply.")
