"""An assistant message in the making: deltas become the events of its life, citations annotations."""

from typing import Literal

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
from antiphon.wire.items import ItemStatus, Message

_NO_TEXT = OutputText(annotations=[], logprobs=[], text="")
"""With what all parts of text begin; never changed."""


class MessageBuilder:
    """An assistant message of text and refusal parts.

    With `sources`, citations of them become annotations. What a citer holds back keeps its log probabilities
    with it; those of marks that it takes out stay, for they tell of every token that the model wrote.
    """

    def __init__(self, ids: Ids, sources: Sources | None = None) -> None:
        self.item_id = ids("msg")
        self._sources = sources
        self._citer: Citer | None = None
        self._annotations: list[Annotation] = []
        self._late_logprobs: list[Logprob] = []
        self._output_index = -1
        self._kept: list[tuple[Literal["text", "refusal"], str, list[Logprob]]] = []
        self._kind: Literal["text", "refusal"] | None = None
        self._text: list[str] = []
        self._logprobs: list[Logprob] = []
        self._parts: list[OutputText | Refusal] = []

    def is_whole(self) -> bool:
        """A message never goes on after another item: text that comes later is a new message."""
        return True

    def open(self, events: list[Event], output_index: int) -> None:
        self._output_index = output_index
        events.append(OutputItemAdded(output_index, self._item("in_progress", [])))
        for kind, delta, logprobs in self._kept:
            self.write(events, kind, delta, logprobs)

    def write(
        self, events: list[Event], kind: Literal["text", "refusal"], delta: str, logprobs: list[Logprob]
    ) -> None:
        """Adds text (or a refusal) to the part that is open, or to a new part of the right kind."""
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
        """Whether `add` does what `write` would: a part of text is open, and nothing is sought in it."""
        return self._kind == "text" and self._citer is None and self._output_index >= 0

    def add(self, events: list[Event], text: str) -> None:
        """Adds text to the part that is open (the hot path: one call for nearly every token)."""
        self._text.append(text)
        events.append(OutputTextDelta(self.item_id, self._output_index, len(self._parts), text, NO_LOGPROBS))

    def close(self, events: list[Event], status: ItemStatus) -> Message:
        if self._kind is None:
            self._begin_part(events, "text")
        self._end_part(events)
        item = self._item(status, self._parts)
        events.append(OutputItemDone(self._output_index, item))
        return item

    def snapshot(self) -> Message:
        parts: list[OutputText | Refusal] = list(self._parts)
        if self._kind is not None:
            self._end_citing([])
            parts.append(self._part())
        return self._item("incomplete", parts)

    def _item(self, status: ItemStatus, parts: list[OutputText | Refusal]) -> Message:
        return Message(id=self.item_id, status=status, content=[*parts], role="assistant")

    def _begin_part(self, events: list[Event], kind: Literal["text", "refusal"]) -> None:
        self._kind = kind
        if kind == "text" and self._sources is not None:
            self._citer = Citer(self._sources)
        empty = _NO_TEXT if kind == "text" else Refusal("")
        events.append(ContentPartAdded(self.item_id, self._output_index, len(self._parts), empty))

    def _part(self) -> OutputText | Refusal:
        text = "".join(self._text)
        if self._kind == "refusal":
            return Refusal(text)
        return OutputText(annotations=self._annotations, logprobs=self._logprobs, text=text)

    def _write_cited(
        self, events: list[Event], text: str, annotations: list[Annotation], logprobs: list[Logprob]
    ) -> None:
        """Adds text whose marks are taken out, and tells of the citations that have ended in it."""
        self._logprobs.extend(logprobs)
        if self._late_logprobs:
            logprobs = self._late_logprobs + logprobs
        place = self.item_id, self._output_index, len(self._parts)
        if text:
            self._text.append(text)
            events.append(OutputTextDelta(*place, text, logprobs))
        self._late_logprobs = [] if text else logprobs
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


def complete(logprobs: list[Logprob]) -> list[Logprob]:
    """Fills in, in place, what chat backends may leave out and the Responses API always has.

    `bytes` is then the token's UTF-8 form, and `top_logprobs` empty.
    """
    for logprob in logprobs:
        if logprob.top_logprobs is None:
            logprob.top_logprobs = []
        entries: list[Logprob | TopLogprob] = [logprob, *logprob.top_logprobs]
        for entry in entries:
            if entry.bytes is None:
                entry.bytes = list(entry.token.encode())
    return logprobs


def last_tokens(logprobs: list[Logprob], text: str) -> list[Logprob]:
    """Returns those of the tokens that end with `text`; those of a tag before it are not shown."""
    if not logprobs:
        return NO_LOGPROBS
    start, missing = len(logprobs), len(text)
    while start > 0 and missing > 0:
        start -= 1
        missing -= len(logprobs[start].token)
    return logprobs[start:]
