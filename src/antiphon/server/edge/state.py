"""State of the server and of one request, as endpoints and the layers around them share it."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.types import Scope

from antiphon.observe.record import Record
from antiphon.recording.seam.frozen import Freeze
from antiphon.service.access.keys import Caller
from antiphon.service.services import Services
from antiphon.settings.schema import ReasoningEvents

DEFAULT_MAX_BODY_BYTES = 100 * 1024 * 1024
_REQUEST = "antiphon.request"

Headers = dict[bytes, bytes]
"""The value of each header. One pass makes it, and a look-up costs no other."""
Watch = Callable[[Record], None]
"""Receives the record of each request when the request begins; it is complete when the request has ended."""


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """Use cases and settings that all requests share."""

    services: Services
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    recording_header: bool = False
    """Whether requests may choose a recording mode and faults."""
    freeze: Freeze | None = None
    """Source of reproducible ids and times; None for real ones."""
    is_local: bool = False
    """Whether only this machine can reach the server."""
    reasoning_events: ReasoningEvents = "openai"
    watch: Watch | None = None


@dataclass(slots=True)
class RequestState:
    """State of one request, or of one frame over a WebSocket."""

    record: Record
    caller: Caller | None = None
    """The holder of the key; None for a request without a key and without limits."""
    headers: Headers | None = None


def begin_request(scope: Scope, record: Record) -> RequestState:
    """Return the new state of the request in `scope`."""
    state = scope[_REQUEST] = RequestState(record)
    return state


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


def record_of(connection: HTTPConnection) -> Record:
    """Return the record of the request."""
    return request_state(connection.scope).record


def headers_of(scope: Scope) -> Headers:
    """Return the headers by their names in lower case; of those with one name the first."""
    state = request_state(scope)
    if state.headers is None:
        state.headers = dict(reversed(scope["headers"]))
    return state.headers
