"""Items of a model call that an earlier execution has left unfinished."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct

from antiphon.wire.content import OutputText, ReasoningText, Refusal, SummaryText
from antiphon.wire.events import (
    NO_LOGPROBS,
    ContentPartAdded,
    ContentPartDone,
    Event,
    OutputItemAdded,
    OutputItemDone,
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
)
from antiphon.wire.items import CodeInterpreterCall, Item, Message, Reasoning
from antiphon.wire.tool_events import CodeInterpreterCallCodeDelta, CodeInterpreterCallCodeDone

_Part = OutputText | Refusal | ReasoningText


class CutCall(Struct, frozen=True):
    """The remains of a model call that clients may have seen."""

    call: int
    """The number of the call."""
    events: int
    """The number of its events, with those that close its items."""
    items: list[Item]
    """Its items, incomplete and empty: part of the output, but never of a prompt."""


def close_items(events: Sequence[Event]) -> tuple[list[Event], list[Item]]:
    """Return the events that close the open item of a cut call, and what remains of all its items.

    The closing events have the text so far. The remaining items are empty: clients join the texts of all
    messages, and the next call repeats this text.
    """
    open_item: _OpenItem | None = None
    items: list[Item] = []
    for event in events:
        if isinstance(event, OutputItemAdded):
            open_item = _OpenItem(event)
            items.append(_emptied(event.item))
        elif isinstance(event, OutputItemDone):
            open_item = None
        elif open_item is not None:
            open_item.feed(event)
    return ([] if open_item is None else open_item.closing()), items


class _OpenItem:
    """An item whose end was not sent."""

    def __init__(self, added: OutputItemAdded) -> None:
        self._item = added.item
        self._place = (str(added.item.id), added.output_index)
        self._parts: list[_Part] = []
        self._summaries: list[SummaryText] = []
        self._text: str | None = None
        """The text of the open part; None without one."""
        self._summary: str | None = None
        """The text of the open summary; None without one."""
        self._is_text_done = False
        self._code: list[str] = []

    def feed(self, event: Event) -> None:
        match event:
            case ContentPartAdded(part=part):
                self._parts.append(part)
                self._text, self._is_text_done = "", False
            case OutputTextDelta(delta=delta) | RefusalDelta(delta=delta) | ReasoningTextDelta(delta=delta):
                self._text = (self._text or "") + delta
            case OutputTextDone() | RefusalDone() | ReasoningTextDone():
                self._is_text_done = True
            case ContentPartDone(part=part):
                self._parts[-1], self._text = part, None
            case CodeInterpreterCallCodeDelta(delta=delta):
                self._code.append(delta)
            case ReasoningSummaryPartAdded():
                self._summary = ""
            case ReasoningSummaryTextDelta(delta=delta):
                self._summary = (self._summary or "") + delta
            case ReasoningSummaryPartDone(part=part):
                self._summaries.append(part)
                self._summary = None

    def closing(self) -> list[Event]:
        events: list[Event] = []
        if self._summary is not None:
            events += self._close_summary(self._summary)
        if self._text is not None:
            events += self._close_part(self._text)
        done = self._item
        if isinstance(done, Message):
            done = msgspec.structs.replace(done, status="incomplete", content=self._parts)
        elif isinstance(done, Reasoning):
            content = [part for part in self._parts if isinstance(part, ReasoningText)]
            done = msgspec.structs.replace(
                done, status="incomplete", summary=self._summaries, content=content or UNSET
            )
        elif isinstance(done, CodeInterpreterCall):
            code = "".join(self._code)
            events.append(CodeInterpreterCallCodeDone(*self._place, code))
            done = msgspec.structs.replace(done, status="incomplete", code=code)
        return [*events, OutputItemDone(self._place[1], done)]

    def _close_summary(self, text: str) -> list[Event]:
        place = (*self._place, len(self._summaries))
        part = SummaryText(text)
        self._summaries.append(part)
        return [ReasoningSummaryTextDone(*place, text), ReasoningSummaryPartDone(*place, part)]

    def _close_part(self, text: str) -> list[Event]:
        place = (*self._place, len(self._parts) - 1)
        part: _Part
        done: Event
        if isinstance(self._parts[-1], Refusal):
            part, done = Refusal(text), RefusalDone(*place, text)
        elif isinstance(self._parts[-1], ReasoningText):
            part, done = ReasoningText(text), ReasoningTextDone(*place, text)
        else:
            part = OutputText(annotations=[], logprobs=[], text=text)
            done = OutputTextDone(*place, text, NO_LOGPROBS)
        self._parts[-1] = part
        ended = ContentPartDone(*place, part)
        return [ended] if self._is_text_done else [done, ended]


def _emptied(item: Item) -> Item:
    if isinstance(item, Message):
        return msgspec.structs.replace(item, status="incomplete", content=[])
    if isinstance(item, Reasoning):
        return msgspec.structs.replace(item, status="incomplete", summary=[])
    if isinstance(item, CodeInterpreterCall):
        return msgspec.structs.replace(item, status="incomplete")
    return item
