"""Notes of the model and tool calls of one response, for the step log."""

import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal, Protocol

from msgspec import Struct, field

from antiphon.errors import AntiphonError
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.items import Item

_retries: ContextVar[list[str] | None] = ContextVar("retries", default=None)
"""The retries of the model call in the current task; the port has no place for them."""


def note_retry(message: str) -> None:
    """Note the error after which a backend calls its model again, for the call in the current task."""
    retries = _retries.get()
    if retries is not None:
        retries.append(message)


class Reply(Protocol):
    """The outcome of a model call, once it has ended."""

    failure: AntiphonError | None
    """The error of an invalid or incomplete reply."""
    finish_reason: str | None
    """The backend's reason for the end."""
    usage: ChatUsage | None
    """The tokens that the backend counted."""


class ModelNote(Struct, eq=False):
    """A model call, in progress or ended."""

    model: str
    """The public ID of the model."""
    request: ChatRequest
    """The request."""
    reply: Reply
    """The reply."""
    output: int
    """The number of output items before the call."""
    dropped: int = 0
    """The number of the oldest items that truncation dropped."""
    purpose: Literal["answer", "compaction"] = "answer"
    """The call's purpose."""
    began: float = field(default_factory=time.perf_counter)
    """The time of the beginning."""
    first: float | None = None
    """The time of the first chunks."""
    ended: float | None = None
    """The time of the end."""
    error: BaseException | None = None
    """The error that ended the call."""
    retries: list[str] = []
    """The errors after which the backend was called again."""


class ToolNote(Struct, eq=False):
    """A call of a hosted tool, in progress or ended."""

    item: Callable[[], Item]
    """Returns the item of the call in its current state."""
    is_approved: bool
    """Whether the client approved the call."""
    began: float = field(default_factory=time.perf_counter)
    """The time of the beginning."""
    ended: float | None = None
    """The time of the end."""
    error: BaseException | None = None
    """The error that ended the call; errors of the tool are in the item."""


Note = ModelNote | ToolNote


class StepNotes(Struct, eq=False):
    """The calls of one response, and what its log keeps of them."""

    keeps_content: bool = True
    """Whether the log keeps texts, or only metadata."""
    text: str = ""
    """The beginning of the last input, for lists."""
    began: float = field(default_factory=time.perf_counter)
    """The time of the beginning."""
    notes: list[Note] = []
    """The calls, in the order in which they began."""
    kept: list[str] = []
    """The JSON texts of the steps that a fork has kept from its original."""
    earlier: dict[int, str] = {}
    """The JSON texts of calls that an earlier execution made, by their numbers in the list."""
    on_end: Callable[[int, Note], None] | None = None
    """Called at the end of each call, with its number in the list; None if nothing has to know."""

    def begin(self, note: Note) -> None:
        """Add a call that begins."""
        self.notes.append(note)
        if isinstance(note, ModelNote):
            _retries.set(note.retries)

    def end(self, note: Note, error: BaseException | None = None) -> None:
        """Note the end of a call, and the error that ended it."""
        note.ended = time.perf_counter()
        note.error = error
        if self.on_end is not None:
            self.on_end(self.notes.index(note), note)
