"""Output items in the making: each builder turns deltas into the events of one item's life.

A builder that is not yet open keeps its deltas: output items stream strictly one after another
(`wire.md` 3.3), so an item whose deltas come early waits for the item before it.
"""

from typing import Protocol

from antiphon.engine.ports import Ids
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
    """What the assembler asks of every builder."""

    def is_whole(self) -> bool:
        """Whether nothing can be added to the item once another item has begun."""
        ...

    def open(self, events: list[Event], output_index: int) -> None:
        """Begins the item at its place and sends what has been kept back."""
        ...

    def close(self, events: list[Event], status: ItemStatus) -> Item:
        """Ends the item and returns it; it must be open."""
        ...

    def snapshot(self) -> Item:
        """Returns the item as far as it has come, with status incomplete; it must be open."""
        ...


class ReasoningBuilder:
    """A reasoning item: raw text, summaries, or nothing that may be shown."""

    def __init__(self, ids: Ids, with_encrypted: bool) -> None:
        self.item_id = ids("rs")
        self._with_encrypted = with_encrypted
        self._output_index = -1
        self._kept: list[tuple[int | None, str]] = []
        self._text: list[str] = []
        self._summaries: list[SummaryText] = []
        self._summary_key: int | None = None
        self._summary: list[str] = []
        self._encrypted = ""

    def is_whole(self) -> bool:
        """Reasoning that comes after another item is a new reasoning item."""
        return True

    def add_encrypted(self, data: str) -> None:
        """Keeps opaque reasoning of the backend; shown only where the request includes it."""
        self._encrypted += data

    def open(self, events: list[Event], output_index: int) -> None:
        self._output_index = output_index
        events.append(OutputItemAdded(output_index, self._item(None, [])))
        for summary_key, delta in self._kept:
            self.write(events, summary_key, delta)

    def write(self, events: list[Event], summary_key: int | None, delta: str) -> None:
        """Adds raw reasoning (`summary_key` is None) or summary text; each new key begins a new summary."""
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
        place = self.item_id, self._output_index
        self._end_summary(events)
        if self._text:
            text = "".join(self._text)
            events.append(ReasoningTextDone(*place, 0, text))
            events.append(ContentPartDone(*place, 0, ReasoningText(text)))
        item = self._item("".join(self._text), self._summaries)
        events.append(OutputItemDone(self._output_index, item))
        return item

    def snapshot(self) -> Reasoning:
        summaries = [*self._summaries]
        if self._summary:
            summaries.append(SummaryText("".join(self._summary)))
        return self._item("".join(self._text), summaries)

    def _item(self, text: str | None, summaries: list[SummaryText]) -> Reasoning:
        item = Reasoning(id=self.item_id, summary=[*summaries])
        if text:
            item.content = [ReasoningText(text)]
        if self._with_encrypted and self._encrypted:
            item.encrypted_content = self._encrypted
        return item

    def _end_summary(self, events: list[Event]) -> None:
        if self._summary_key is None:
            return
        text, index = "".join(self._summary), len(self._summaries)
        place = self.item_id, self._output_index, index
        events.append(ReasoningSummaryTextDone(*place, text))
        events.append(ReasoningSummaryPartDone(*place, SummaryText(text)))
        self._summaries.append(SummaryText(text))
        self._summary_key, self._summary = None, []
