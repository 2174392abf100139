"""Building of assistant messages: events for deltas, annotations for citations."""

from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET

from antiphon.engine.reply.citations import Citer, Sources
from antiphon.engine.request_context import Ids
from antiphon.wire.content import Annotation, Logprob, OutputText, Refusal, TopLogprob
from antiphon.wire.events import (
    NO_LOGPROBS,
    ContentPartAdded,
    ContentPartDone,
    Event,
    OutputItemAdded,
    OutputItemDone,
    OutputTextAnnotationAdded,
    OutputTextDelta,
    OutputTextDone,
    RefusalDelta,
    RefusalDone,
)
from antiphon.wire.items import ItemStatus, Message, Phase


class MessageBuilder:
    """The builder of an assistant message with text and refusal parts.

    With `sources`, citations become annotations. Text that the citer holds back keeps its log probabilities.
    Removed citation marks keep theirs too, since log probabilities cover every token that the model
    generated.
    """

    def __init__(self, ids: Ids, sources: Sources | None = None) -> None:
        self.item_id = ids("msg")
        self.phase: Phase | None = None
        """The phase, once it is known; None omits it."""
        self._sources = sources
        self._citer: Citer | None = None
        self._annotations: list[Annotation] = []
        self._late_logprobs: Sequence[Logprob] = NO_LOGPROBS
        self._output_index = -1
        self._kept: list[tuple[Literal["text", "refusal"], str, Sequence[Logprob]]] = []
        self._kind: Literal["text", "refusal"] | None = None
        self._text: list[str] = []
        self._logprobs: list[Logprob] = []
        self._parts: list[OutputText | Refusal] = []

    def is_whole(self) -> bool:
        """Return True: text after another item belongs to a new message."""
        return True

    def open(self, events: list[Event], output_index: int) -> None:
        """Begin the item and send the waiting deltas."""
        self._output_index = output_index
        events.append(OutputItemAdded(output_index, self._item("in_progress", [])))
        for kind, delta, logprobs in self._kept:
            self.write(events, kind, delta, logprobs)

    def write(
        self, events: list[Event], kind: Literal["text", "refusal"], delta: str, logprobs: Sequence[Logprob]
    ) -> None:
        """Append to the open part, or to a new part if `kind` differs."""
        if self._output_index < 0:
            self._kept.append((kind, delta, logprobs))
            return
        if kind != self._kind:
            if self._kind is not None:
                self._end_part(events)
            self._begin_part(events, kind)
        if self._citer is not None:
            self._write_cited(events, *self._citer.feed(delta), logprobs)
            return
        self._text.append(delta)
        index = len(self._parts)
        if kind == "text":
            if logprobs:
                self._logprobs.extend(logprobs)
            events.append(OutputTextDelta(self.item_id, self._output_index, index, delta, logprobs))
        else:
            events.append(RefusalDelta(self.item_id, self._output_index, index, delta))

    def takes_plain_text(self) -> bool:
        """Return whether `add` is equivalent to `write` for text without logprobs."""
        return self._kind == "text" and self._citer is None and self._output_index >= 0

    def add(self, events: list[Event], text: str) -> None:
        """Append text to the open text part. This is the hot path, called per token."""
        self._text.append(text)
        events.append(OutputTextDelta(self.item_id, self._output_index, len(self._parts), text, NO_LOGPROBS))

    def close(self, events: list[Event], status: ItemStatus) -> Message:
        """End the item and return it."""
        if self._kind is None:
            self._begin_part(events, "text")
        self._end_part(events)
        item = self._item(status, self._parts)
        events.append(OutputItemDone(self._output_index, item))
        return item

    def snapshot(self) -> Message:
        """Return the item so far, with status incomplete."""
        parts: list[OutputText | Refusal] = list(self._parts)
        if self._kind is not None:
            self._end_citing([])
            parts.append(self._part())
        return self._item("incomplete", parts)

    def _item(self, status: ItemStatus, parts: list[OutputText | Refusal]) -> Message:
        phase = self.phase or UNSET
        return Message(id=self.item_id, status=status, content=[*parts], role="assistant", phase=phase)

    def _begin_part(self, events: list[Event], kind: Literal["text", "refusal"]) -> None:
        self._kind = kind
        if kind == "text" and self._sources is not None:
            self._citer = Citer(self._sources)
        empty = OutputText(annotations=[], logprobs=[], text="") if kind == "text" else Refusal("")
        events.append(ContentPartAdded(self.item_id, self._output_index, len(self._parts), empty))

    def _part(self) -> OutputText | Refusal:
        text = "".join(self._text)
        if self._kind == "refusal":
            return Refusal(text)
        return OutputText(annotations=self._annotations, logprobs=self._logprobs, text=text)

    def _write_cited(
        self, events: list[Event], text: str, annotations: list[Annotation], logprobs: Sequence[Logprob]
    ) -> None:
        """Append text without citation marks, and send the annotations that it completes."""
        self._logprobs.extend(logprobs)
        if self._late_logprobs:
            logprobs = [*self._late_logprobs, *logprobs]
        place = self.item_id, self._output_index, len(self._parts)
        if text:
            self._text.append(text)
            events.append(OutputTextDelta(*place, text, logprobs))
        self._late_logprobs = NO_LOGPROBS if text else logprobs
        for annotation in annotations:
            events.append(OutputTextAnnotationAdded(*place, len(self._annotations), annotation))
            self._annotations.append(annotation)

    def _end_citing(self, events: list[Event]) -> None:
        if self._citer is not None:
            self._write_cited(events, *self._citer.flush(), NO_LOGPROBS)
            self._citer = None

    def _end_part(self, events: list[Event]) -> None:
        self._end_citing(events)
        part, index = self._part(), len(self._parts)
        place = self.item_id, self._output_index, index
        if isinstance(part, OutputText):
            events.append(OutputTextDone(*place, part.text, self._logprobs))
        else:
            events.append(RefusalDone(*place, part.refusal))
        events.append(ContentPartDone(*place, part))
        self._parts.append(part)
        self._kind, self._text, self._logprobs = None, [], []
        self._annotations, self._late_logprobs = [], []


def complete(logprobs: Sequence[Logprob]) -> Sequence[Logprob]:
    """Add, in place, the required fields that backends may omit; return `logprobs`.

    A missing `bytes` becomes the token's UTF-8 form, and a missing `top_logprobs` an empty list.
    """
    for logprob in logprobs:
        if logprob.top_logprobs is None:
            logprob.top_logprobs = []
        entries: list[Logprob | TopLogprob] = [logprob, *logprob.top_logprobs]
        for entry in entries:
            if entry.bytes is None:
                entry.bytes = list(entry.token.encode())
    return logprobs


def last_tokens(logprobs: Sequence[Logprob], text: str) -> Sequence[Logprob]:
    """Return the tokens of `text` at the end, without those of a tag before it."""
    if not logprobs:
        return NO_LOGPROBS
    start, missing = len(logprobs), len(text)
    while start > 0 and missing > 0:
        start -= 1
        missing -= len(logprobs[start].token)
    return logprobs[start:]
