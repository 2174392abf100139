"""State of the server and of one request, for endpoints and middleware."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.types import Scope

from antiphon.decode.bounds import MAX_ITEMS
from antiphon.dialects.llama_stack import Dialect
from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import AntiphonError
from antiphon.observe.record import Record
from antiphon.recording.seam.frozen import Freeze
from antiphon.service.access.keys import Caller
from antiphon.service.log.refusals import Refusals
from antiphon.service.services import Services
from antiphon.settings.schema import ReasoningEvents, Settings
from antiphon.store import Store

DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024
_MAX_INCOMPLETE = 512 * 1024 * 1024
"""Size limit of all incomplete JSON bodies together, in bytes."""
_REQUEST = "antiphon.request"

Headers = dict[bytes, bytes]
"""Value of each header by its name in lower case."""
Watch = Callable[[Record], None]
"""Function that receives each request's record, which is complete at its end."""


class NewRecord(Protocol):
    """Function that returns the record of a new request."""

    def __call__(
        self, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], *, is_connection: bool = False
    ) -> Record:
        """Return the record.

        Args:
            method: The method of the request, or `WS`.
            path: The path.
            headers: The headers, which may name a trace.
            is_connection: Whether the request opens a WebSocket, whose frames have records of their own.
        """
        ...


def plain_record(
    method: str, path: str, headers: Sequence[tuple[bytes, bytes]], *, is_connection: bool = False
) -> Record:
    """Return the record of a request on a server without metrics and traces."""
    return Record(method, path)


class Overloaded(AntiphonError):
    """Request body that arrives beside too many bytes of other incomplete bodies."""

    status = 503
    code = "server_overloaded"

    def __init__(self) -> None:
        super().__init__("The server is receiving too many large requests. Please try again later.")


@dataclass(slots=True)
class IncompleteBodies:
    """JSON bodies of which a part has arrived."""

    size: int = 0
    """Bytes of all parts."""

    def add(self, size: int, most: int) -> None:
        """Count a part of a body.

        Args:
            size: Bytes of the part.
            most: Size limit of one body.

        Raises:
            Overloaded: All parts together are over their limit.
        """
        self.size += size
        if self.size > max(_MAX_INCOMPLETE, most):
            raise Overloaded


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """Use cases and settings that all requests share."""

    services: Services
    """Use cases that the endpoints call."""
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    """Size limit of JSON bodies."""
    max_items: int = MAX_ITEMS
    """Maximum length of arrays in requests."""
    strict: bool = False
    """Whether bodies with unknown fields are rejected."""
    recording_header: bool = False
    """Whether requests may choose a recording mode and faults."""
    freeze: Freeze | None = None
    """Source of reproducible IDs and times; None for real ones."""
    is_local: bool = False
    """Whether only this machine can reach the server."""
    reasoning_events: ReasoningEvents = "openai"
    """Names of the events of raw reasoning."""
    dialect: Dialect | None = None
    """Dialect of all requests; None for the one that each client expects."""
    watch: Watch | None = None
    """Function that receives the record of each request."""
    has_pages: bool = True
    """Whether the server has pages for people."""
    settings: Settings | None = None
    """Settings in effect, for the page that shows them."""
    new_record: NewRecord = plain_record
    """Function that returns the record of each request."""
    metrics: Callable[[], Awaitable[bytes]] | None = None
    """Function that returns the metrics; None if they are off."""
    incomplete: IncompleteBodies = field(default_factory=IncompleteBodies)
    """Memory of the bodies that clients are sending."""


class RequestState(Struct, eq=False):
    """State of one request, or of one frame over a WebSocket."""

    record: Record
    """Facts for the log."""
    headers: Headers
    """Headers of the request; the first value of a repeated header."""
    caller: Caller | None = None
    """The holder of the key; None for a request without a key and without limits."""
    dialect: Dialect | None = None
    """Dialect, once it was determined."""


def begin_request(scope: Scope, record: Record) -> RequestState:
    """Return the new state of the request in `scope`."""
    state = scope[_REQUEST] = RequestState(record, dict(reversed(scope["headers"])))
    return state


def note_refusal(refusals: Refusals, state: RequestState, error: AntiphonError) -> None:
    """Note a refused request in the log, unless it has a response, which is in the log."""
    record, caller = state.record, state.caller
    if record.response is None and record.method in ("POST", "WS"):
        is_unknown = caller is None and error.status in (401, 403)
        owner = "" if is_unknown else LOCAL_OWNER if caller is None else caller.owner
        refusals.note(record.request_id, owner, record.key, error)


def request_state(scope: Scope) -> RequestState:
    """Return the state of the request in `scope`."""
    state: RequestState = scope[_REQUEST]
    return state


def server_state(connection: HTTPConnection) -> ServerState:
    """Return the state of the server that received the request."""
    state: ServerState = connection.app.state
    return state


def services_of(connection: HTTPConnection) -> Services:
    """Return the use cases that the endpoints call."""
    return server_state(connection).services


def store_of(connection: HTTPConnection) -> Store:
    """Return the database, for use cases that need nothing else."""
    return services_of(connection).store


def record_of(connection: HTTPConnection) -> Record:
    """Return the record of the request."""
    return request_state(connection.scope).record


def headers_of(scope: Scope) -> Headers:
    """Return the headers by name in lower case; the first value of a repeated header."""
    return request_state(scope).headers
