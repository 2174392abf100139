"""A collection that answers, in the way that the server is set up."""

import re
from pathlib import Path

import msgspec

from antiphon.engine.ports import Call
from antiphon.errors import RecordingNotFound
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.matching.chats import Hit, Miss
from antiphon.recording.matching.nearest import explain_miss, printable
from antiphon.settings.schema import Capabilities
from antiphon.wire.json import JSONObject

WORDED_FOR = Capabilities(think_tags=False)
"""What a recorded model takes where its recording does not say: everything, as OpenAI's models do."""
_HASH = re.compile(r"[0-9a-f]{64}")


class Replay:
    """Finds recordings for requests, and tells the request's log line and the hit log which."""

    def __init__(self, collection: Collection, *, speed: float = 0.0, hit_log: Path | None = None) -> None:
        self.collection = collection
        self.speed = speed
        self._hit_log = hit_log

    def find(self, request: JSONObject, call: Call, backend: str = "") -> RecordedCall | Miss:
        """Returns what answers a chat request; of several recordings those of the `backend` go first.

        Raises `RecordingNotFound` for a monstrous one.
        """
        try:
            found = self.collection.chats.find(request, call.scope, backend)
        except RecursionError:
            raise _too_deep(call) from None
        return self._told(found, call)

    def get(self, request: JSONObject, call: Call, backend: str = "") -> RecordedCall:
        """Returns what answers a chat request; raises `RecordingNotFound`, which shows the nearest."""
        found = self.find(request, call, backend)
        if isinstance(found, Miss):
            recorded = [(entry.call, entry.canonical) for entry in self.collection.chats.entries]
            raise RecordingNotFound(explain_miss(found.canonical, recorded, found.used))
        return found

    def find_result(self, provider: str, name: str, arguments: JSONObject, call: Call) -> RecordedCall | Miss:
        """Returns what answers a tool call; raises `RecordingNotFound` for a monstrous one."""
        try:
            found = self.collection.tools.find(provider, name, arguments, call.scope)
        except RecursionError:
            raise _too_deep(call) from None
        return self._told(found, call)

    def get_result(self, provider: str, name: str, arguments: JSONObject, call: Call) -> RecordedCall:
        """Returns what answers a tool call; raises `RecordingNotFound`, which shows the nearest."""
        found = self.find_result(provider, name, arguments, call)
        if isinstance(found, Miss):
            recorded = [(entry.call, entry.canonical) for entry in self.collection.tools.entries]
            raise RecordingNotFound(explain_miss(found.canonical, recorded, found.used))
        return found

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

    def _told(self, found: Hit | Miss, call: Call) -> RecordedCall | Miss:
        if isinstance(found, Miss):
            call.notes.append("miss")
            return found
        call.recordings.append(found.call.name)
        folded = f" (folded: {', '.join(found.rules)})" if found.rules else ""
        name = _HASH.sub(lambda digest: digest[0][:6], printable(found.call.name))
        call.notes.append(f"hit {found.how} {name}{folded}")
        if self._hit_log is not None:
            line = {
                "file": found.call.file,
                "call": found.call.number,
                "scope": call.scope,
                "how": found.how,
            }
            with self._hit_log.open("ab") as log:
                log.write(msgspec.json.encode(line) + b"\n")
        return found.call


def _too_deep(call: Call) -> RecordingNotFound:
    call.notes.append("miss")
    return RecordingNotFound("No recording answers this call: it is nested too deeply.")
