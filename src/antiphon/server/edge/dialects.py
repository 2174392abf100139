"""Dialects of clients: the one of a request, and its form of events and models."""

from starlette.requests import HTTPConnection

from antiphon.dialects.llama_stack import OPENAI, Dialect, dialect_of
from antiphon.dialects.llama_stack_wire import shown_events
from antiphon.dialects.open_responses import with_open_names
from antiphon.server.edge.state import headers_of, request_state, server_state
from antiphon.service.responses.run import Run
from antiphon.wire.events import Event


def dialect(connection: HTTPConnection) -> Dialect:
    """Return the dialect of a request: the one in the settings, or the one that its headers name."""
    state = request_state(connection.scope)
    if state.dialect is None:
        state.dialect = server_state(connection).dialect or dialect_of(headers_of(connection.scope))
    return state.dialect


def in_dialect(connection: HTTPConnection, events: list[Event], run: Run) -> list[Event]:
    """Return the events of a run in the form that the client of a request receives."""
    if server_state(connection).reasoning_events != "openai":
        events = with_open_names(events)
    wanted = dialect(connection)
    return events if wanted is OPENAI else shown_events(events, run.loop.response.id, wanted)
