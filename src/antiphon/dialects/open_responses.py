"""Open Responses: its names for the events of raw reasoning."""

from antiphon.wire.events import Event, ReasoningDelta, ReasoningDone, ReasoningTextDelta, ReasoningTextDone


def with_open_names(events: list[Event]) -> list[Event]:
    """Return events, with Open Responses' names for those of raw reasoning."""
    return [_open(event) for event in events]


def _open(event: Event) -> Event:
    match event:
        case ReasoningTextDelta(item_id, output_index, content_index, delta, number):
            return ReasoningDelta(item_id, output_index, content_index, delta, number)
        case ReasoningTextDone(item_id, output_index, content_index, text, number):
            return ReasoningDone(item_id, output_index, content_index, text, number)
    return event
