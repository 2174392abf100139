"""The step log: what happened inside of a response, and the lines of the list of responses."""

from typing import Literal

from msgspec import Struct

from antiphon.wire.json import JSON, JSONObject


class LoggedError(Struct, omit_defaults=True, kw_only=True):
    """Error of a request, a response or a step."""

    type: str
    """Type of the error in the API."""
    code: str | None = None
    """Code of the error in the API."""
    param: str | None = None
    """Parameter that the error is about."""
    message: str | None = None
    """Message, cut to its beginning; None if the log keeps metadata only."""
    status: int | None = None
    """HTTP status that the client received, or that the backend sent."""


class LoggedUsage(Struct, omit_defaults=True, kw_only=True):
    """Tokens of one model call, as the backend counted them."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0


class LoggedRequest(Struct, omit_defaults=True, kw_only=True):
    """Reference to a chat request: the items of the response have its texts.

    `service.log.sent` translates the items again, and compares the result with `crc`.
    """

    crc: int | None = None
    """CRC-32 of the JSON text of the whole request; None for a very long one."""
    messages: int
    """Number of messages."""
    tools: int = 0
    """Number of functions and custom tools."""
    dropped: int = 0
    """Number of the oldest items that truncation dropped."""
    settings: JSONObject = {}
    """The other members of the request, except for its model and the output format."""


class ModelStep(Struct, tag_field="kind", tag="model", omit_defaults=True, kw_only=True):
    """One model call."""

    at: float
    """Seconds from the beginning of the response to the beginning of the call."""
    seconds: float
    """Duration of the call."""
    model: str
    """Public ID of the model: the backend's name, a slash, and the model's name."""
    first: float | None = None
    """Seconds from the beginning of the call to the first bytes of its answer."""
    output: int = 0
    """Position of the call's first item in the output of the response."""
    purpose: Literal["answer", "compaction"] = "answer"
    """The call's purpose."""
    finish: str | None = None
    """The backend's reason for the end of the reply."""
    usage: LoggedUsage | None = None
    """Tokens, if the backend counted them."""
    retries: list[str] = []
    """The errors after which the call was repeated."""
    error: LoggedError | None = None
    """Error of a failed call, as the backend worded it."""
    request: LoggedRequest | None = None
    """The chat request; None if the log keeps metadata only."""
    is_kept: bool = False
    """Whether the original of a fork made the call."""


class ToolStep(Struct, tag_field="kind", tag="tool", omit_defaults=True, kw_only=True):
    """One call of a hosted tool."""

    at: float
    """Seconds from the beginning of the response to the beginning of the call."""
    seconds: float
    """Duration of the call."""
    tool: str
    """Name of the tool; for a tool of an MCP server, with the server's label before a period."""
    item: str | None = None
    """ID of the output item with the arguments and the result."""
    is_approved: bool = False
    """Whether the client approved the call."""
    failed: bool = False
    """Whether the call ended with an error, which the item has."""
    is_kept: bool = False
    """Whether the original of a fork made the call."""


Step = ModelStep | ToolStep


class Summary(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The facts about a response that a list shows beside its columns."""

    text: str = ""
    """The beginning of the last input."""
    seconds: float | None = None
    """Duration; None while the response is in progress."""
    first: float | None = None
    """Seconds until the first bytes of the first model call's answer."""
    input: int | None = None
    """Input tokens of all model calls."""
    output: int | None = None
    """Output tokens of all model calls."""
    calls: int = 0
    """Number of model calls."""
    tools: list[str] = []
    """Names of the tools that were called, hosted tools and functions, each once."""
    error: LoggedError | None = None
    """Error of a failed response or a refused request."""


class StoredRequest(LoggedRequest, array_like=True, kw_only=True):
    """A reference to a chat request as the database has it: an array of the values."""

    is_stream: bool = False
    """Whether the settings are without those of `STREAM`, which the request had as well."""


STREAM: JSONObject = {"stream": True, "stream_options": {"include_usage": True}}
"""The usual settings of a streamed request."""


class StoredModelStep(ModelStep, array_like=True, kw_only=True):
    """A model call as the database has it."""

    request: StoredRequest | None = None


class StoredToolStep(ToolStep, array_like=True, kw_only=True):
    """A tool call as the database has it."""


StoredStep = StoredModelStep | StoredToolStep


class StoredSteps(Struct, array_like=True, kw_only=True):
    """The steps of a response, in the order in which they began."""

    steps: list[StoredStep] = []
    """The steps; only the first ones of very many."""
    left_out: int = 0
    """Number of further steps that the log does not have."""
    error: LoggedError | None = None
    """Error of a failed response, with the backend's own words."""


class StoredSummary(Summary, frozen=True, array_like=True, kw_only=True):
    """A summary as the database has it."""


LogKind = Literal["response", "unstored", "refused"]
"""A stored response, one with `store: false`, or a request that was refused before it had a response."""


class LogEntry(Struct, kw_only=True):
    """A line of the log."""

    id: str
    """ID of the response; of the request for a refused one."""
    kind: LogKind
    """Kind of the line."""
    owner: str
    """Owner of the response; empty if the client was not identified."""
    key: str | None
    """Name of the API key."""
    created_at: float
    """Time of creation."""
    status: str
    """Status of the response, or `refused`."""
    model: str
    """Model of the request."""
    conversation_id: str | None = None
    """Conversation of the response."""
    previous_response_id: str | None = None
    """Response that this one continues."""
    forked_from: str | None = None
    """Response that this one is a fork of."""
    summary: Summary
    """Everything else."""


class LogList(Struct, kw_only=True):
    """Lines of the log, the newest first."""

    object: Literal["list"] = "list"
    data: list[LogEntry]
    """The lines."""
    has_more: bool
    """Whether there are older lines."""
    last_id: str | None
    """ID of the last line, for the next page."""


class SentRequest(Struct, kw_only=True):
    """The chat request of a model call, put together from the items again."""

    body: JSON
    """The request."""
    is_exact: bool
    """Whether it is the request that was sent, to the byte; otherwise it may differ in details."""
