"""The metrics of `/metrics`: names, labels and meanings."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct


class Series(Struct, frozen=True):
    """One metric."""

    name: str
    """The name; counters get the suffix `_total`."""
    kind: Literal["counter", "gauge", "histogram"]
    """The type of the metric."""
    meaning: str
    """The meaning in a few words."""
    labels: Sequence[str] = ()
    """The names of the labels."""
    buckets: Sequence[float] = ()
    """The boundaries of a histogram."""

    @property
    def shown(self) -> str:
        """The name in the output."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_FIRST = (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_PER_TOKEN = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1)
_SHORT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_GROUPS = (1, 2, 4, 8, 16, 32, 64, 128, 256)

REQUESTS = Series(
    "antiphon_requests",
    "counter",
    "Requests that have ended; a request over WebSocket has the method WS",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Series(
    "antiphon_request_seconds",
    "histogram",
    "Time from the head of a request to the end of its response",
    ("method", "route"),
    _SECONDS,
)
RESPONSES = Series(
    "antiphon_responses",
    "counter",
    "Responses that have ended, also in the background, by their status",
    ("model", "status"),
)
RESPONSES_OPEN = Series("antiphon_responses_in_progress", "gauge", "Responses in progress")
TOKENS = Series(
    "antiphon_tokens",
    "counter",
    "Tokens that backends report; cached is a part of input, and reasoning a part of output",
    ("model", "type"),
)
FIRST_TOKEN = Series(
    "antiphon_first_token_seconds",
    "histogram",
    "Time from a streamed model call to its first chunk",
    ("model",),
    _FIRST,
)
PER_TOKEN = Series(
    "antiphon_time_per_token_seconds",
    "histogram",
    "Time per output token after the first chunk, as an average of each streamed model call",
    ("model",),
    _PER_TOKEN,
)
TOOL_CALLS = Series(
    "antiphon_tool_calls", "counter", "Calls of hosted tools; outcome is ok or error", ("tool", "outcome")
)
TOOL_SECONDS = Series("antiphon_tool_seconds", "histogram", "Time of hosted tool calls", ("tool",), _SECONDS)
BACKEND_ERRORS = Series(
    "antiphon_backend_errors",
    "counter",
    "Requests and responses that a failure of a backend ended; kind is unreachable, timeout, refused, "
    "rate_limited, broken, context_length or tools",
    ("backend", "kind"),
)
QUEUED = Series("antiphon_background_queued", "gauge", "Background responses of the database that wait")
RUNNING = Series("antiphon_background_running", "gauge", "Background responses of the database that run")
STREAMS = Series("antiphon_streams_open", "gauge", "Open streams of events over HTTP")
WEBSOCKETS = Series("antiphon_websockets_open", "gauge", "Open WebSocket connections")
STORE_SECONDS = Series(
    "antiphon_store_seconds",
    "histogram",
    "Time of transactions in the database; operation is read or write",
    ("operation",),
    _SHORT,
)
STORE_GROUP = Series(
    "antiphon_store_group_size", "histogram", "Writes that share one transaction", (), _GROUPS
)
LOOP_LAG = Series(
    "antiphon_event_loop_lag_seconds",
    "histogram",
    "Delay of a timer in the event loop, measured once a second",
    (),
    _SHORT,
)
INFO = Series("antiphon_build_info", "gauge", "The version of the server; the value is 1", ("version",))
ALL = (
    REQUESTS,
    REQUEST_SECONDS,
    RESPONSES,
    RESPONSES_OPEN,
    TOKENS,
    FIRST_TOKEN,
    PER_TOKEN,
    TOOL_CALLS,
    TOOL_SECONDS,
    BACKEND_ERRORS,
    QUEUED,
    RUNNING,
    STREAMS,
    WEBSOCKETS,
    STORE_SECONDS,
    STORE_GROUP,
    LOOP_LAG,
    INFO,
)
"""All metrics."""
