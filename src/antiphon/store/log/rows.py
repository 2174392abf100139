"""Records of the log. Texts named `summary` and `steps` are JSON; see `wire.log`."""

from typing import Literal

from msgspec import Struct


class NewLogEntry(Struct, frozen=True, kw_only=True):
    """A line about a request that has no stored response."""

    id: str
    """The ID of the request, or of the response that was not stored."""
    kind: Literal["refused", "unstored"]
    """The kind of the line."""
    owner: str
    """The owner; empty if the client was not identified."""
    key_name: str | None
    """The name of the API key."""
    created_at: float
    """The time of the request."""
    status: str
    """The status of the response, or `refused`."""
    model: str
    """The model of the request; may be empty."""
    summary: str
    """The summary."""
    steps: str | None = None
    """The steps of a response."""


class LogRow(Struct, frozen=True, kw_only=True):
    """A line of the log."""

    id: str
    """The ID of the response, or of the refused request."""
    kind: Literal["response", "unstored", "refused"]
    """The kind of the line."""
    owner: str
    """The owner."""
    key_name: str | None
    """The name of the API key."""
    created_at: float
    """The time of creation."""
    status: str
    """The status."""
    model: str
    """The model of the request."""
    conversation_id: str | None = None
    """The conversation of the response."""
    previous_response_id: str | None = None
    """The response that this one continues."""
    forked_from: str | None = None
    """The response that this one is a fork of."""
    summary: str | None = None
    """The summary; None for a response that was not logged."""


class LogQuery(Struct, frozen=True, kw_only=True):
    """The lines that a list contains: those that fulfill every condition."""

    owner: str | None = None
    """The owner; None for all owners, which only the operator may see."""
    limit: int = 50
    """The most lines."""
    after: str | None = None
    """The ID of the line that the list continues after."""
    model: str | None = None
    """The model of the request."""
    status: str | None = None
    """The status."""
    errors: bool = False
    """Whether only failed, incomplete and cancelled responses and refused requests are listed."""
    tool: str | None = None
    """The name of a tool that was called."""
    conversation_id: str | None = None
    """The conversation."""
    key_name: str | None = None
    """The name of the API key."""
    since: float | None = None
    """The earliest time of creation."""
    text: str | None = None
    """Words that the input or the output contains; the last characters of the last one may be missing."""

    @property
    def concerns_responses_only(self) -> bool:
        """Whether a condition excludes lines that have no stored response."""
        return bool(self.tool or self.conversation_id or self.text)


class LogPage(Struct, frozen=True):
    """A page of the log."""

    rows: list[LogRow]
    """The lines, the newest first."""
    has_more: bool
    """Whether there are older lines."""


class LoggedRun(Struct, frozen=True, kw_only=True):
    """A line with everything that the log has about it."""

    row: LogRow
    """The line."""
    steps: str | None
    """The steps; None if the log has none."""
    body: str | None = None
    """The response without `output`; None for a line without a stored response."""
    input: list[str] = []
    """The bodies of the input items in order."""
    output: list[str] = []
    """The bodies of the output items in order."""
    forks: list[str] = []
    """The IDs of the forks of the response, the oldest first."""
    next_ids: list[str] = []
    """The IDs of the responses that continue the response, the oldest first."""
