"""Facts about model and tool calls, which metrics and traces share."""

import re
import time
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from antiphon.engine.response import usage_of
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import Usage

_NOTED = re.compile(rb'"prompt_tokens"|"finish_reason":\s*"')
"""Keys of chunks that have facts. In texts, JSON escapes the quotes."""
_MAX_KEPT = 4 * 1024 * 1024
"""Bytes of a reply that are kept for traces with content."""


class _Choice(Struct):
    finish_reason: str | None = None


class _Facts(Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: JSON = None


_decode = msgspec.json.Decoder(_Facts).decode


@dataclass(slots=True)
class ModelCall:
    """One call of a model, in progress or ended."""

    model: str
    """The public ID of the model."""
    request: ChatRequest
    """The request to the backend."""
    keeps_reply: bool = False
    """Whether the chunks are kept, for traces with content."""
    operation: str = "chat"
    """The kind of the call in OpenTelemetry's words."""
    began: float = field(default_factory=time.monotonic)
    first: float | None = None
    """When the first chunk arrived."""
    ended: float | None = None
    chunks: int = 0
    reply: list[bytes] = field(default_factory=list)
    """The chunks, if they are kept."""
    reply_id: str | None = None
    reply_model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    error: BaseException | None = None
    _kept: int = 0

    @property
    def backend(self) -> str:
        """The name of the backend."""
        return self.model.partition("/")[0]

    @property
    def is_stream(self) -> bool:
        """Whether the call requested a stream."""
        return bool(self.request.get("stream"))

    @property
    def seconds(self) -> float:
        """The duration so far, or of the whole call."""
        return (time.monotonic() if self.ended is None else self.ended) - self.began

    @property
    def seconds_to_first(self) -> float | None:
        """The time to the first chunk of a stream; None before it and without a stream."""
        return None if self.first is None or not self.is_stream else self.first - self.began

    @property
    def seconds_per_token(self) -> float | None:
        """The average time per output token after the first chunk; None if it is unknown."""
        if self.first is None or self.ended is None or not self.is_stream:
            return None
        count = self.chunks if self.usage is None else self.usage.output_tokens
        return (self.ended - self.first) / (count - 1) if count > 1 else None

    @property
    def seconds_per_chunk(self) -> float | None:
        """The average time per chunk after the first; None if there are too few."""
        if self.first is None or self.ended is None or self.chunks < 2:
            return None
        return (self.ended - self.first) / (self.chunks - 1)

    def feed(self, chunks: list[bytes]) -> None:
        """Take the facts out of the chunks of one read."""
        if self.first is None:
            self.first = time.monotonic()
            self._note(chunks[0] if chunks else b"{}")
        self.chunks += len(chunks)
        for chunk in chunks:
            if _NOTED.search(chunk):
                self._note(chunk)
            if self.keeps_reply and self._kept < _MAX_KEPT:
                self._kept += len(chunk)
                self.reply.append(chunk)

    def count(self, answer: JSONObject) -> None:
        """Take the token counts out of the answer of another endpoint."""
        self._take_usage(answer.get("usage"))

    def _note(self, chunk: bytes) -> None:
        try:
            facts = _decode(chunk)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return  # The engine reports malformed chunks.
        self.reply_id = facts.id or self.reply_id
        self.reply_model = facts.model or self.reply_model
        if facts.choices and facts.choices[0].finish_reason is not None:
            self.finish_reason = facts.choices[0].finish_reason
        self._take_usage(facts.usage)

    def _take_usage(self, usage: JSON) -> None:
        if isinstance(usage, dict):
            try:
                self.usage = usage_of(msgspec.convert(usage, ChatUsage))
            except msgspec.ValidationError:
                return


@dataclass(slots=True)
class ToolRun:
    """One call of a hosted tool that has ended."""

    name: str
    seconds: float
    has_failed: bool
