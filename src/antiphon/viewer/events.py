"""Events of stored responses whose events were not stored, put together from their items."""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from antiphon.wire import items, tool_events
from antiphon.wire.content import ContentPart, OutputText, ReasoningText, Refusal, SummaryText
from antiphon.wire.events import (
    ContentPartAdded,
    ContentPartDone,
    CustomToolCallInputDelta,
    CustomToolCallInputDone,
    Event,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextAnnotationAdded,
    OutputTextDelta,
    OutputTextDone,
    ReasoningSummaryPartAdded,
    ReasoningSummaryPartDone,
    ReasoningSummaryTextDelta,
    ReasoningSummaryTextDone,
    ReasoningTextDelta,
    ReasoningTextDone,
    RefusalDelta,
    RefusalDone,
    ResponseCompleted,
    ResponseCreated,
    ResponseFailed,
    ResponseIncomplete,
    ResponseInProgress,
)
from antiphon.wire.items import Item
from antiphon.wire.responses import Response

_ENDS: dict[str, type[ResponseCompleted | ResponseFailed | ResponseIncomplete]] = {
    "completed": ResponseCompleted,
    "failed": ResponseFailed,
    "incomplete": ResponseIncomplete,
}


def events_of(response: Response) -> list[Event]:
    """Return the events of a stored response.

    Each text is one delta, because the database has the texts and not their pieces.
    """
    begun = msgspec.structs.replace(
        response,
        status="in_progress",
        output=[],
        usage=None,
        error=None,
        incomplete_details=None,
        completed_at=None,
    )
    events: list[Event] = [ResponseCreated(begun), ResponseInProgress(begun)]
    for index, item in enumerate(response.output):
        events += _item_events(item, index)
    if (end := _ENDS.get(response.status)) is not None:
        events.append(end(response))
    for number, event in enumerate(events):
        event.sequence_number = number
    return events


def _item_events(item: Item, index: int) -> Iterator[Event]:
    place = str(item.id), index
    match item:
        case items.Message():
            yield OutputItemAdded(index, msgspec.structs.replace(item, content=[], status="in_progress"))
            for number, part in enumerate(item.content if isinstance(item.content, list) else ()):
                yield from _part_events(part, (*place, number))
        case items.Reasoning():
            yield OutputItemAdded(index, items.Reasoning(id=item.id, summary=[]))
            for number, summary in enumerate(item.summary):
                yield from _summary_events(summary.text, (*place, number))
            for number, text in enumerate(item.content or ()):
                yield from _reasoning_events(text.text, (*place, number))
        case items.FunctionCall():
            yield OutputItemAdded(index, msgspec.structs.replace(item, arguments="", status="in_progress"))
            yield FunctionCallArgumentsDelta(*place, item.arguments)
            yield FunctionCallArgumentsDone(*place, item.name, item.arguments)
        case items.CustomToolCall():
            yield OutputItemAdded(index, msgspec.structs.replace(item, input="", status="in_progress"))
            if item.input:
                yield CustomToolCallInputDelta(*place, item.input)
            yield CustomToolCallInputDone(*place, item.input)
        case _:
            yield from _hosted_events(item, index)
    yield OutputItemDone(index, item)


def _part_events(part: ContentPart, place: tuple[str, int, int]) -> Iterator[Event]:
    if isinstance(part, Refusal):
        yield ContentPartAdded(*place, Refusal(""))
        yield RefusalDelta(*place, part.refusal)
        yield RefusalDone(*place, part.refusal)
        yield ContentPartDone(*place, part)
    elif isinstance(part, OutputText):
        logprobs = part.logprobs or []
        yield ContentPartAdded(*place, OutputText(annotations=[], logprobs=[], text=""))
        if part.text:
            yield OutputTextDelta(*place, part.text, logprobs)
        for number, annotation in enumerate(part.annotations or ()):
            yield OutputTextAnnotationAdded(*place, number, annotation)
        yield OutputTextDone(*place, part.text, logprobs)
        yield ContentPartDone(*place, part)


def _summary_events(text: str, place: tuple[str, int, int]) -> Iterator[Event]:
    yield ReasoningSummaryPartAdded(*place, SummaryText(""))
    yield ReasoningSummaryTextDelta(*place, text)
    yield ReasoningSummaryTextDone(*place, text)
    yield ReasoningSummaryPartDone(*place, SummaryText(text))


def _reasoning_events(text: str, place: tuple[str, int, int]) -> Iterator[Event]:
    yield ContentPartAdded(*place, ReasoningText(""))
    yield ReasoningTextDelta(*place, text)
    yield ReasoningTextDone(*place, text)
    yield ContentPartDone(*place, ReasoningText(text))


def _hosted_events(item: Item, index: int) -> Iterator[Event]:
    """Yield the events of a hosted tool call between its first and its last one."""
    place = str(item.id), index
    match item:
        case items.WebSearchCall():
            yield OutputItemAdded(
                index, msgspec.structs.replace(item, status="in_progress", action=UNSET, results=UNSET)
            )
            yield tool_events.WebSearchCallInProgress(*place)
            yield tool_events.WebSearchCallSearching(*place)
            if item.status == "completed":
                yield tool_events.WebSearchCallCompleted(*place)
        case items.FileSearchCall():
            yield OutputItemAdded(
                index, msgspec.structs.replace(item, status="in_progress", queries=[], results=None)
            )
            yield tool_events.FileSearchCallInProgress(*place)
            yield tool_events.FileSearchCallSearching(*place)
            if item.status == "completed":
                yield tool_events.FileSearchCallCompleted(*place)
        case items.McpListTools():
            yield OutputItemAdded(index, msgspec.structs.replace(item, tools=[], error=None))
            yield tool_events.McpListToolsInProgress(*place)
            failed = bool(item.error)
            yield (tool_events.McpListToolsFailed if failed else tool_events.McpListToolsCompleted)(*place)
        case items.McpCall():
            yield from _mcp_events(item, index)
        case _:
            yield OutputItemAdded(index, item)


def _mcp_events(item: items.McpCall, index: int) -> Iterator[Event]:
    place = str(item.id), index
    begun = msgspec.structs.replace(item, status="in_progress", arguments="", output=None, error=None)
    yield OutputItemAdded(index, begun)
    yield tool_events.McpCallInProgress(*place)
    yield tool_events.McpCallArgumentsDelta(*place, item.arguments)
    yield tool_events.McpCallArgumentsDone(*place, item.arguments)
    if item.error:
        yield tool_events.McpCallFailed(*place)
    elif item.status == "completed":
        yield tool_events.McpCallCompleted(*place)
