"""Fields of log lines in JSON, for the documentation."""

from msgspec import Struct


class Field(Struct, frozen=True):
    """One field."""

    name: str
    """The name."""
    lines: str
    """The lines that have it."""
    meaning: str
    """The meaning."""


_ALL, _REQUEST, _RESPONSE, _OTHER = "all", "requests", "responses", "requests without a response"
FIELDS = (
    Field("time", _ALL, "Time in UTC, as in RFC 3339 with milliseconds"),
    Field("level", _ALL, "`debug`, `info`, `warning`, `error` or `critical`"),
    Field("logger", _ALL, "Part of the server; `antiphon.access` is the request log"),
    Field("message", _ALL, "The line in text, without date and request ID"),
    Field("request_id", "about a request", "Header `x-request-id`; the ID of a response in the background"),
    Field("traceback", "with an exception", "Python's traceback"),
    Field("status", _REQUEST, "HTTP status; 499 if the client has disconnected before"),
    Field("stream", _REQUEST, "Whether events were sent"),
    Field("seconds", _REQUEST, "Time from the head of the request to the end of the response"),
    Field("key", _REQUEST, "Name of the API key"),
    Field("method", _OTHER, "HTTP method, or `WS` for a request over WebSocket"),
    Field("path", _OTHER, "Path of the request, at most 200 characters"),
    Field("code", _OTHER, "Code of the error"),
    Field("param", _OTHER, "Parameter at fault"),
    Field("response_id", _RESPONSE, "ID of the response"),
    Field("model", _RESPONSE, "Model of the request"),
    Field("conversation", _RESPONSE, "ID of the conversation"),
    Field("previous_response_id", _RESPONSE, "ID of the previous response"),
    Field("tools", _RESPONSE, "Number of declared tools"),
    Field("response_status", _RESPONSE, "Status of the response"),
    Field("input_tokens", _RESPONSE, "Input tokens of all model calls"),
    Field("output_tokens", _RESPONSE, "Output tokens of all model calls"),
    Field("error", _RESPONSE, "Message of the error that the response failed with"),
    Field("model_calls", _REQUEST, "Number of model calls"),
    Field("tool_calls", _REQUEST, "`calls` and `failed` of each hosted tool by name"),
    Field("compaction_error", _REQUEST, "Message of the error that left the context unchanged"),
    Field("ignored", _REQUEST, "Paths of the fields of the body that the server ignored"),
    Field("recording", _REQUEST, "`hits`, `misses`, `recorded` and `faults`, with recordings or faults"),
)
"""All fields."""
