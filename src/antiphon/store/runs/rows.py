"""Records of event logs."""

from msgspec import UNSET, Struct, UnsetType

from antiphon.store.responses.rows import FinishedResponse, NewResponse


class Fenced(Exception):
    """A write of an execution that another one has replaced, or of a deleted response."""


class NewRun(Struct, frozen=True, kw_only=True):
    """A background response to store and to queue."""

    response: NewResponse
    """The response with its input, as it is in progress."""
    queued: str
    """The body of the response while it waits."""
    backend: str
    """The name of the backend, for the limit of runs per backend."""
    priority: int
    """The place in the owner's queue; lower ones run first."""
    is_streamed: bool
    """Whether the client receives the events at once."""
    request: str
    """The request, for the server that runs it."""
    events: list[bytes]
    """JSON texts of the first events."""


class NewStream(Struct, frozen=True):
    """A response outside of the background whose client can resume its stream."""

    owner: str
    """The owner of the response."""
    response: NewResponse
    """The response."""


class RunLimits(Struct, frozen=True, kw_only=True):
    """The most background responses that run at the same time."""

    per_process: int = 32
    """Responses of one server."""
    per_owner: int = 16
    """Responses of one owner, on all servers of the database."""
    per_backend: int = 64
    """Responses that use one backend, on all servers of the database."""


class ClaimedRun(Struct, frozen=True, kw_only=True):
    """A run that belongs to this server from now on."""

    id: str
    """The ID of the response."""
    owner: str
    """The owner of the response."""
    epoch: int
    """The number of this execution."""
    next_seq: int
    """The sequence number of the next event."""
    open_call: int | None
    """The number of the model call that the earlier execution has left unfinished."""
    call_seq: int
    """The sequence number of the first event of that call."""
    is_cancelled: bool
    """Whether the response is to be cancelled."""
    is_streamed: bool
    """Whether a client may have received events."""
    request: str
    """The request."""
    steps: dict[str, str | None]
    """Results of finished steps by name; None for a tool call whose outcome is unknown."""


class RunWrite(Struct, frozen=True, kw_only=True):
    """A write of an execution, which is rejected if another execution has replaced this one.

    A stream outside of the background has one execution, with the number 0.
    """

    id: str
    """The ID of the response."""
    epoch: int
    """The number of the execution."""
    seq: int
    """The sequence number of the first of `events`."""
    events: list[bytes]
    """JSON texts of events."""
    step: tuple[str, str | None] | None = None
    """Name and result of a step that has finished; the result is None if it has only begun."""
    open_call: tuple[int, int] | None | UnsetType = UNSET
    """The model call in progress, and the number of its first event; None if it has finished."""
    logged: list[tuple[str, str]] = []
    """Names and texts of steps for the step log, which an execution after a crash keeps."""


class RunEnd(Struct, frozen=True, kw_only=True):
    """The end of a run and of its response."""

    write: RunWrite
    """The last events."""
    owner: str
    """The owner of the response."""
    finished: FinishedResponse
    """The finished response."""


class EventPage(Struct, frozen=True, kw_only=True):
    """Events of a response, and whether more follow."""

    events: list[bytes]
    """JSON texts of the events, in order."""
    last_seq: int
    """The sequence number of the last of `events`, or the one before them."""
    has_ended: bool
    """Whether the run has ended, and these are the last events."""
