"""Output items in the making: each builder turns deltas into the events of one item's life.

A builder that is not yet open keeps its deltas: output items stream strictly one after another
(`wire.md` 3.3), so an item whose deltas come early waits for the item before it.
"""

from typing import Protocol

from antiphon.engine.hosted.items import shown
from antiphon.engine.request_context import Ids
from antiphon.engine.sealed import Boxes, ReasoningBox
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
    """A reasoning item: raw text, summaries, or nothing that may be shown.

    The item has a box with all of it, if there is a seal; the events have it only with `shows_box`.
    """

    def __init__(self, ids: Ids, boxes: Boxes, shows_box: bool) -> None:
        self.item_id = ids("rs")
        self._boxes = boxes
        self._include = ("reasoning.encrypted_content",) if shows_box else ()
        self._output_index = -1
        self._kept: list[tuple[int | None, str]] = []
        self._text: list[str] = []
        self._summaries: list[SummaryText] = []
        self._summary_key: int | None = None
        self._summary: list[str] = []
        self._details: list[ReasoningDetail] = []
        self._closed: Reasoning | None = None

    def is_whole(self) -> bool:
        """Reasoning that comes after another item is a new reasoning item."""
        return True

    def keep(self, detail: ReasoningDetail) -> None:
        """Keeps the backend's own entry for the box, also after the item is closed."""
        last = self._details[-1] if self._details else None
        if last is not None and (last.type, last.index) == (detail.type, detail.index):
            self._details[-1] = _joined(last, detail)
        else:
            self._details.append(detail)
        if self._closed is not None:
            self._seal(self._closed)

    def open(self, events: list[Event], output_index: int) -> None:
        self._output_index = output_index
        added = Reasoning(id=self.item_id, summary=[])
        if self._include and self._boxes.are_sealed:
            added.encrypted_content = self._boxes.seal(ReasoningBox(self._boxes.source))
        events.append(OutputItemAdded(output_index, added))
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
        item = self._closed = self._item(self._summaries)
        events.append(OutputItemDone(self._output_index, shown(item, self._include)))
        return item

    def snapshot(self) -> Reasoning:
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
        if self._boxes.are_sealed:
            content = ReasoningBox(self._boxes.source, "".join(self._text), self._details)
            item.encrypted_content = self._boxes.seal(content)

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
    """Two pieces of one entry: texts are joined, and of all else the later value counts."""
    values = {name: getattr(other, name) or getattr(one, name) for name in one.__struct_fields__}
    for name in ("text", "summary", "data"):
        pieces = getattr(one, name), getattr(other, name)
        if all(pieces):
            values[name] = "".join(pieces)
    return ReasoningDetail(**values)
