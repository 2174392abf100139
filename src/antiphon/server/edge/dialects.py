"""What clients and tests of llama-stack (OGX) need that api.openai.com does not send."""

from starlette.requests import HTTPConnection

from antiphon.server.edge.state import headers_of, server_state
from antiphon.wire.events import Event, ReasoningDelta, ReasoningDone, ReasoningTextDelta, ReasoningTextDone

_CLIENTS = (b"OgxClient/", b"LlamaStackClient/")
"""How the user agents of its clients begin, after `Async` in asynchronous ones."""
_HEADERS = (b"x-ogx-", b"x-llamastack-")


def is_llama_stack(request: HTTPConnection) -> bool:
    """Whether a client of llama-stack asks, by its user agent or a header of its own.

    Events of an item or a part then name their response. ogx-client 1.1.3 loses those that do not: for its
    types `type` may be absent from an event, so that it tells events apart by all fields that must be there.
    """
    headers = headers_of(request.scope)
    agent = headers.get(b"user-agent", b"").removeprefix(b"Async")
    return agent.startswith(_CLIENTS) or any(name.startswith(_HEADERS) for name in headers)


def named(request: HTTPConnection, events: list[Event]) -> list[Event]:
    """Returns events under the names that this server gives them."""
    if server_state(request).reasoning_events == "openai":
        return events
    return [_open(event) for event in events]


def _open(event: Event) -> Event:
    match event:
        case ReasoningTextDelta(item_id, output_index, content_index, delta, number):
            return ReasoningDelta(item_id, output_index, content_index, delta, number)
        case ReasoningTextDone(item_id, output_index, content_index, text, number):
            return ReasoningDone(item_id, output_index, content_index, text, number)
    return event
