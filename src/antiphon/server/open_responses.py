"""Raw reasoning under the names of Open Responses, where the operator chose them (`reasoning_events`).

OpenAI says `response.reasoning_text.delta` for what Open Responses calls `response.reasoning.delta`, and a
client that checks the one refuses the other (`wire.md` 5.3). All other events have the same names in both.
"""

from starlette.requests import HTTPConnection

from antiphon.wire.events import Event, ReasoningDelta, ReasoningDone, ReasoningTextDelta, ReasoningTextDone


def named(request: HTTPConnection, events: list[Event]) -> list[Event]:
    """Returns events under the names that this server gives them."""
    if request.app.state.reasoning_events == "openai":
        return events
    return [_open(event) for event in events]


def _open(event: Event) -> Event:
    match event:
        case ReasoningTextDelta(item_id, output_index, content_index, delta, number):
            return ReasoningDelta(item_id, output_index, content_index, delta, number)
        case ReasoningTextDone(item_id, output_index, content_index, text, number):
            return ReasoningDone(item_id, output_index, content_index, text, number)
    return event
