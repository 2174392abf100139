"""Events in the dialects of clients."""

from starlette.requests import HTTPConnection

from antiphon.dialects.llama_stack_wire import shown_events
from antiphon.dialects.open_responses import with_open_names
from antiphon.server.edge.requests import dialect
from antiphon.server.edge.state import server_state
from antiphon.wire.events import Event


def in_dialect(connection: HTTPConnection, events: list[Event], response_id: str) -> list[Event]:
    """Return the events of a response in the form that the client of a request receives."""
    if server_state(connection).reasoning_events != "openai":
        events = with_open_names(events)
    return shown_events(events, response_id, dialect(connection))
