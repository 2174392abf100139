"""Record of one request, the source of its log line, metrics and traces."""

import time
from collections.abc import Sequence

from msgspec import Struct, field

from antiphon.errors import AntiphonError
from antiphon.ids import new_id
from antiphon.wire.responses import Response

NO_ANSWER = 499
"""Status of a request without a response."""
_MAX_PATH = 200


class ToolUse(Struct):
    """Counts of a hosted tool's calls."""

    calls: int = 0
    """All calls."""
    failed: int = 0
    """Calls that failed."""


class Hit(Struct):
    """A call that a recording answered."""

    how: str
    """Kind of the match."""
    recording: str
    """Name of the recording."""
    rules: Sequence[str] = ()
    """Rules that normalized the request, if it matched only then."""


class Fetched(Struct, frozen=True):
    """A stored response that the request fetched."""

    response_id: str
    """The ID of the response."""
    status: str | None = None
    """The status of the response; None for a stream."""
    cursor: int | None = None
    """The number of the event after which a stream begins."""


class Record(Struct, eq=False):
    """Facts about one request, or about one frame over a WebSocket (method `WS`).

    The record is the `Observer` of the request's context.
    """

    method: str
    path: str
    request_id: str = field(default_factory=lambda: new_id("req", 16))
    began: float = field(default_factory=time.monotonic)
    status: int = NO_ANSWER
    is_stream: bool = False
    key: str | None = None
    """The name of the API key."""
    scope: str | None = None
    """The scope of the request's calls; None for a request that has no context."""
    response: Response | None = None
    """Latest state of the response."""
    error: AntiphonError | None = None
    models: list[str] = []
    """The public id of the model, for each model call."""
    tools: dict[str, ToolUse] = {}
    hits: list[Hit] = []
    misses: list[str | None] = []
    """For each miss, the first difference from the nearest recording, if any."""
    recordings: list[str] = []
    """The names of the recordings that answered, and of those that were made."""
    recorded_count: int = 0
    ignored: list[str] = []
    """The paths of the fields of the body that the server ignored."""
    faults: list[str] = []
    """The fault rules that applied."""
    compaction_error: AntiphonError | None = None
    fetched: Fetched | None = None

    def __post_init__(self) -> None:
        self.path = self.path[:_MAX_PATH]

    @property
    def unanswered(self) -> int:
        """Misses that no recording was made for."""
        return max(0, len(self.misses) - self.recorded_count)

    @property
    def is_about_recordings(self) -> bool:
        """Whether recording, replay or fault injection had a part in the request."""
        return bool(self.hits or self.misses or self.recorded_count or self.faults)

    def answered(self, status: int, *, is_stream: bool) -> None:
        """Note the head of the response."""
        self.status, self.is_stream = status, is_stream

    def opened(self) -> None:
        """Note that a WebSocket connection is open."""

    def ended(self) -> None:
        """Note the end of the request."""

    def carried(self) -> dict[str, str]:
        """Return the trace context for work that outlives the request; this record has none."""
        return {}

    def model_called(self, model: str) -> None:
        """Note a call to a model, by its public id."""
        self.models.append(model)

    def tool_called(self, name: str, *, failed: bool) -> None:
        """Note the end of a hosted tool call."""
        use = self.tools.setdefault(name, ToolUse())
        use.calls += 1
        use.failed += failed

    def hit(self, how: str, recording: str, rules: Sequence[str]) -> None:
        """Note that a recording answered a call: kind of match, name, and rules."""
        self.hits.append(Hit(how, recording, rules))
        self.recordings.append(recording)

    def missed(self, difference: str | None) -> None:
        """Note that no recording answered, and the first difference from the nearest."""
        self.misses.append(difference)

    def recorded(self, recording: str) -> None:
        """Note that a call was recorded."""
        self.recordings.append(recording)
        self.recorded_count += 1

    def faulted(self, rule: str) -> None:
        """Note that a fault rule applied to a call."""
        self.faults.append(rule)

    def compaction_failed(self, error: AntiphonError) -> None:
        """Note that the context remains as it is, because compaction failed."""
        self.compaction_error = error

    def responded(self, response: Response, error: AntiphonError | None) -> None:
        """Note the current state of the response, and the error that it failed with."""
        self.response = response
        self.error = error
