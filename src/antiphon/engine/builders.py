"""Output items in the making: each builder turns deltas into the events of one item's life.

A builder that is not yet open keeps its deltas: output items stream strictly one after another
(`wire.md` 3.3), so an item whose deltas come early waits for the item before it.
"""

from collections.abc import Container
from typing import Protocol

import msgspec

from antiphon.engine.ports import Ids
from antiphon.wire.content import ReasoningText, SummaryText
from antiphon.wire.events import (
    ContentPartAdded,
    ContentPartDone,
    Event,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
    ReasoningSummaryPartAdded,
    ReasoningSummaryPartDone,
    ReasoningSummaryTextDelta,
    ReasoningSummaryTextDone,
    ReasoningTextDelta,
    ReasoningTextDone,
)
from antiphon.wire.items import FunctionCall, Item, ItemStatus, Reasoning

ToolNames = dict[str, tuple[str, str]]
"""For functions that go to the backend under another name: that name to (namespace, name)."""


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


class FunctionCallBuilder:
    """A function call. The item is announced once its name is known whole: names may come in pieces.

    A call of one of the `hosted` functions is only gathered: it has no events and no item here.
    """

    def __init__(self, ids: Ids, tool_names: ToolNames, hosted: Container[str] = ()) -> None:
        self.item_id = ids("fc")
        self._ids = ids
        self.call_id: str | None = None
        self.name = ""
        self.closed = False
        self._tool_names = tool_names
        self._hosted = hosted
        self._output_index = -1
        self._announced = False
        self._arguments: list[str] = []
        self._sent = 0

    @property
    def is_hosted(self) -> bool:
        """Whether the call is one of a hosted tool."""
        return self.name in self._hosted

    @property
    def arguments(self) -> str:
        """The arguments as far as they have come."""
        return "".join(self._arguments)

    def is_whole(self) -> bool:
        """Whether the arguments are a complete JSON object, to which nothing can be added."""
        end = next((piece for piece in reversed(self._arguments) if not piece.isspace()), "")
        if not self.name or not end.rstrip().endswith("}"):
            return False
        try:
            return isinstance(msgspec.json.decode(self.arguments), dict)
        except (msgspec.DecodeError, RecursionError):
            return False

    def write(self, events: list[Event], call_id: str | None, name: str | None, arguments: str) -> None:
        """Adds what one delta brought. A name that is repeated whole is not added twice."""
        if call_id and not self._announced:
            self.call_id = self.call_id or call_id
        if name and name != self.name and not (self.name and self._arguments):
            self.name += name
        if arguments and not self.closed:
            self._arguments.append(arguments)
        if self._output_index >= 0:
            self._send(events)

    def open(self, events: list[Event], output_index: int) -> None:
        self._output_index = output_index
        self._send(events)

    def close(self, events: list[Event], status: ItemStatus) -> FunctionCall:
        self._announce(events)
        self.closed = True
        item = self._item(status, self.arguments)
        events.append(FunctionCallArgumentsDone(self.item_id, self._output_index, item.name, item.arguments))
        events.append(OutputItemDone(self._output_index, item))
        return item

    def snapshot(self) -> FunctionCall:
        return self._item("incomplete", self.arguments)

    def _send(self, events: list[Event]) -> None:
        """Sends the arguments that have not been sent; without a name they wait for it."""
        if self.name and self._sent < len(self._arguments) and not self.is_hosted:
            self._announce(events)
            for arguments in self._arguments[self._sent :]:
                events.append(FunctionCallArgumentsDelta(self.item_id, self._output_index, arguments))
            self._sent = len(self._arguments)

    def _announce(self, events: list[Event]) -> None:
        if not self._announced:
            self._announced = True
            events.append(OutputItemAdded(self._output_index, self._item("in_progress", "")))

    def _item(self, status: ItemStatus, arguments: str) -> FunctionCall:
        if self.call_id is None:
            self.call_id = self._ids("call")
        namespace, name = self._tool_names.get(self.name, (None, self.name))
        item = FunctionCall(
            id=self.item_id, status=status, arguments=arguments, call_id=self.call_id, name=name
        )
        if namespace is not None:
            item.namespace = namespace
        return item
