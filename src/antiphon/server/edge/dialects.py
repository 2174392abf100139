"""Differences between llama-stack's (OGX) wire format and api.openai.com's."""

from msgspec.structs import astuple

from antiphon.wire.events import (
    ContentPartAdded,
    ContentPartDone,
    Event,
    OutputItemAdded,
    OutputItemDone,
    ReasoningDelta,
    ReasoningDone,
    ReasoningTextDelta,
    ReasoningTextDone,
)


def with_open_names(events: list[Event]) -> list[Event]:
    """Return events, with Open Responses' names for those of raw reasoning."""
    return [_open(event) for event in events]


def with_response_id(events: list[Event], response_id: str) -> list[Event]:
    """Return events, with the response's ID in those of items and content parts.

    Only clients of llama-stack need it. ogx-client 1.1.3 loses the events that don't: `type` is optional in
    its types of events, so that it tells events apart by their required fields.
    """
    return [_for_llama_stack(event, response_id) for event in events]


class _OutputItemAdded(OutputItemAdded, kw_only=True):
    response_id: str


class _OutputItemDone(OutputItemDone, kw_only=True):
    response_id: str


class _ContentPartAdded(ContentPartAdded, kw_only=True):
    response_id: str


class _ContentPartDone(ContentPartDone, kw_only=True):
    response_id: str


def _for_llama_stack(event: Event, response_id: str) -> Event:
    match event:
        case OutputItemAdded():
            return _OutputItemAdded(*astuple(event), response_id=response_id)
        case OutputItemDone():
            return _OutputItemDone(*astuple(event), response_id=response_id)
        case ContentPartAdded():
            return _ContentPartAdded(*astuple(event), response_id=response_id)
        case ContentPartDone():
            return _ContentPartDone(*astuple(event), response_id=response_id)
    return event


def _open(event: Event) -> Event:
    match event:
        case ReasoningTextDelta(item_id, output_index, content_index, delta, number):
            return ReasoningDelta(item_id, output_index, content_index, delta, number)
        case ReasoningTextDone(item_id, output_index, content_index, text, number):
            return ReasoningDone(item_id, output_index, content_index, text, number)
    return event
