"""Building of output items: the builder protocol, and the builder for reasoning.

A builder turns deltas into the events of one item. Output items stream strictly one after another, so a
builder keeps its deltas until its item is open.
"""

from typing import Protocol

from antiphon.engine.hosted.items import for_client
from antiphon.engine.request_context import Ids
from antiphon.engine.sealed import Sealed, SealedReasoning
from antiphon.wire.chat import ReasoningDetail
from antiphon.wire.content import ReasoningText, SummaryText
from antiphon.wire.events import (
    ContentPartAdded,
    ContentPartDone,
    Event,
    OutputItemAdded,
    OutputItemDone,
    ReasoningSummaryPartAdded,
    ReasoningSummaryPartDone,
    ReasoningSummaryTextDelta,
    ReasoningSummaryTextDone,
    ReasoningTextDelta,
    ReasoningTextDone,
)
from antiphon.wire.items import Item, ItemStatus, Reasoning


class ItemBuilder(Protocol):
    """The interface of every builder, used by the assembler."""

    def is_whole(self) -> bool:
        """Return whether nothing can be added to the item once another item has begun."""
        ...

    def open(self, events: list[Event], output_index: int) -> None:
        """Begin the item and send the waiting deltas."""
        ...

    def close(self, events: list[Event], status: ItemStatus) -> Item:
        """End the item, which must be open, and return it."""
        ...

    def snapshot(self) -> Item:
        """Return the open item so far, with status incomplete."""
        ...


class ReasoningBuilder:
    """The builder of a reasoning item with raw text, summaries or only hidden content.

    The item has all of it as encrypted content if a key exists; its events have that only with `is_shown`.
    """

    def __init__(self, ids: Ids, sealed: Sealed, is_shown: bool) -> None:
        self.item_id = ids("rs")
        self._sealed = sealed
        self._include = ("reasoning.encrypted_content",) if is_shown else ()
        self._output_index = -1
        self._kept: list[tuple[int | None, str]] = []
        self._text: list[str] = []
        self._summaries: list[SummaryText] = []
        self._summary_key: int | None = None
        self._summary: list[str] = []
        self._details: list[ReasoningDetail] = []
        self._closed: Reasoning | None = None

    def is_whole(self) -> bool:
        """Return True: reasoning after another item is a new reasoning item."""
        return True

    def keep(self, detail: ReasoningDetail) -> None:
        """Add the backend's own entry to the encrypted content, even of a closed item."""
        last = self._details[-1] if self._details else None
        if last is not None and (last.type, last.index) == (detail.type, detail.index):
            self._details[-1] = _joined(last, detail)
        else:
            self._details.append(detail)
        if self._closed is not None:
            self._seal(self._closed)

    def open(self, events: list[Event], output_index: int) -> None:
        """Begin the item and send the waiting deltas."""
        self._output_index = output_index
        added = Reasoning(id=self.item_id, summary=[])
        if self._include and self._sealed.has_seal:
            added.encrypted_content = self._sealed.seal(SealedReasoning(self._sealed.source))
        events.append(OutputItemAdded(output_index, added))
        for summary_key, delta in self._kept:
            self.write(events, summary_key, delta)

    def write(self, events: list[Event], summary_key: int | None, delta: str) -> None:
        """Append reasoning text; each new key begins a new summary.

        Args:
            events: The list that receives the events.
            summary_key: Key of a summary, or None for raw reasoning.
            delta: The text to append.
        """
        place = self.item_id, self._output_index
        if self._output_index < 0:
            self._kept.append((summary_key, delta))
        elif summary_key is None:
            if not self._text:
                events.append(ContentPartAdded(*place, 0, ReasoningText("")))
            self._text.append(delta)
            events.append(ReasoningTextDelta(*place, 0, delta))
        else:
            if summary_key != self._summary_key:
                self._end_summary(events)
                self._summary_key = summary_key
                events.append(ReasoningSummaryPartAdded(*place, len(self._summaries), SummaryText("")))
            self._summary.append(delta)
            events.append(ReasoningSummaryTextDelta(*place, len(self._summaries), delta))

    def close(self, events: list[Event], status: ItemStatus) -> Reasoning:
        """End the item and return it."""
        place = self.item_id, self._output_index
        self._end_summary(events)
        if self._text:
            text = "".join(self._text)
            events.append(ReasoningTextDone(*place, 0, text))
            events.append(ContentPartDone(*place, 0, ReasoningText(text)))
        item = self._closed = self._item(self._summaries)
        events.append(OutputItemDone(self._output_index, for_client(item, self._include)))
        return item

    def snapshot(self) -> Reasoning:
        """Return the item so far, with status incomplete."""
        summaries = [*self._summaries]
        if self._summary:
            summaries.append(SummaryText("".join(self._summary)))
        return self._item(summaries)

    def _item(self, summaries: list[SummaryText]) -> Reasoning:
        item = Reasoning(id=self.item_id, summary=[*summaries])
        if self._text:
            item.content = [ReasoningText("".join(self._text))]
        self._seal(item)
        return item

    def _seal(self, item: Reasoning) -> None:
        if self._sealed.has_seal:
            content = SealedReasoning(self._sealed.source, "".join(self._text), self._details)
            item.encrypted_content = self._sealed.seal(content)

    def _end_summary(self, events: list[Event]) -> None:
        if self._summary_key is None:
            return
        text, index = "".join(self._summary), len(self._summaries)
        place = self.item_id, self._output_index, index
        events.append(ReasoningSummaryTextDone(*place, text))
        events.append(ReasoningSummaryPartDone(*place, SummaryText(text)))
        self._summaries.append(SummaryText(text))
        self._summary_key, self._summary = None, []


def _joined(one: ReasoningDetail, other: ReasoningDetail) -> ReasoningDetail:
    """Return one entry merged from two parts: texts are joined, other fields replaced."""
    values = {name: getattr(other, name) or getattr(one, name) for name in one.__struct_fields__}
    for name in ("text", "summary", "data"):
        pieces = getattr(one, name), getattr(other, name)
        if all(pieces):
            values[name] = "".join(pieces)
    return ReasoningDetail(**values)
