"""The journal of one background response: its finished model and tool calls, which run only once."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import msgspec
from msgspec import Struct

from antiphon.durable.cut import CutCall, close_items
from antiphon.durable.ids import RunIds
from antiphon.durable.log import encode
from antiphon.errors import InternalError
from antiphon.store.runs.rows import ClaimedRun, RunWrite
from antiphon.store.runs.runs import RunRecords
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject


class ToolOutcome(Struct, frozen=True, omit_defaults=True):
    """The outcome of a tool call: a result, or an error that the model receives."""

    result: JSON = None
    """The result of the tool."""
    error: str | None = None
    """The error of a tool that failed."""
    status: int | None = None
    """The HTTP status that the tool's server refused the call with."""


_MODEL, _TOOL, _CUT = "model:", "tool:", "cut:"
_decode_chunks = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_cut = msgspec.json.Decoder(CutCall).decode
_decode_outcome = msgspec.json.Decoder(ToolOutcome).decode
_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class StepLog(Protocol):
    """The storage of the steps of one execution."""

    def skip(self, events: int) -> None:
        """Skip the numbers of events that an interrupted call has left."""
        ...

    def begin_call(self, number: int) -> None:
        """Note that a model call begins."""
        ...

    async def end_call(self, name: str, result: str) -> None:
        """Store the result of the model call that has finished."""
        ...

    async def record(self, name: str, result: str | None) -> None:
        """Store the result of a tool call; None if it begins."""
        ...


class Journal:
    """The finished calls of a response, from earlier executions and from this one.

    A call that is in the journal is not made again. Model calls are numbered, since one follows another.
    Tool calls run at the same time, and are named by what they call.

    Args:
        steps: The finished calls by name; None for a tool call that has only begun.
        log: The log of the execution, after `close_cut_call`.
        ids: The IDs of the execution.
        is_cancelled: Whether the response ends at the next call that is not in the journal.
    """

    def __init__(
        self, steps: Mapping[str, str | None], log: StepLog, ids: RunIds, *, is_cancelled: bool = False
    ) -> None:
        self._is_cancelled = is_cancelled
        self._steps = dict(steps)
        self._log = log
        self._ids = ids
        self._calls = 0
        self._made: Counter[str] = Counter()
        self._cuts: dict[int, list[CutCall]] = {}
        for name, body in sorted(steps.items()):
            if name.startswith(_CUT) and body is not None:
                cut = _decode_cut(body)
                self._cuts.setdefault(cut.call, []).append(cut)

    def interrupted(self) -> list[Item]:
        """Return what interrupted attempts of the next model call have left in the output."""
        items: list[Item] = []
        for cut in self._cuts.pop(self._calls, ()):
            self._log.skip(cut.events)
            self._ids.branch(f"{cut.call} {len(items)}")
            items += cut.items
        return items

    def finished_call(self) -> list[bytes] | None:
        """Return the chunks of the next model call; None if it is to be made."""
        body = self._steps.get(f"{_MODEL}{self._calls}")
        if body is None:
            self._stop_if_cancelled()
            return None
        return [bytes(chunk) for chunk in _decode_chunks(body)]

    def begin_call(self) -> None:
        """Note that the next model call begins."""
        self._log.begin_call(self._calls)

    async def end_call(self, chunks: list[bytes]) -> None:
        """Store the model call that has finished."""
        await self._log.end_call(f"{_MODEL}{self._calls}", f"[{b','.join(chunks).decode()}]")

    def next_call(self) -> None:
        """Go on to the next model call."""
        self._calls += 1

    def tool_name(self, provider: str, name: str, arguments: JSONObject) -> str:
        """Return the name of the next tool call with these arguments."""
        canonical = msgspec.json.encode([provider, name, arguments], order="deterministic")
        digest = hashlib.sha256(canonical).hexdigest()[:16]
        self._made[digest] += 1
        return f"{_TOOL}{provider}.{name}:{digest}:{self._made[digest]}"

    def finished_tool(self, name: str) -> ToolOutcome | None:
        """Return the outcome of a tool call; None if it is to be made."""
        body = self._steps.get(name)
        if body is None:
            self._stop_if_cancelled()
            return None
        return _decode_outcome(body)

    def has_begun(self, name: str) -> bool:
        """Return whether an earlier execution began a tool call, whose outcome is unknown."""
        return name in self._steps

    async def begin_tool(self, name: str) -> None:
        """Note that a tool call begins."""
        await self._log.record(name, None)

    async def end_tool(self, name: str, outcome: ToolOutcome) -> None:
        """Store the outcome of a tool call."""
        await self._log.record(name, encode(outcome).decode())

    def _stop_if_cancelled(self) -> None:
        if self._is_cancelled:
            raise asyncio.CancelledError


async def close_cut_call(records: RunRecords, run: ClaimedRun) -> ClaimedRun:
    """Return the run without the model call that an earlier execution has left unfinished.

    If no client may have received its events, they are removed. Otherwise, its open item is closed, and the
    call is repeated with new items after it.

    Raises:
        Fenced: Another execution has replaced this one.
    """
    if run.open_call is None:
        return run
    if run.next_seq == run.call_seq or await records.rewind(run):
        return msgspec.structs.replace(run, open_call=None, next_seq=run.call_seq)
    sent: list[Event] = []
    after = run.call_seq - 1
    while after < run.next_seq - 1:
        page = await records.events_after(run.id, after)
        if page is None or not page.events:
            raise InternalError
        sent += [_event_decoder.decode(event) for event in page.events]
        after = page.last_seq
    closing, items = close_items(sent)
    for number, event in enumerate(closing, run.next_seq):
        event.sequence_number = number
    cut = CutCall(run.open_call, len(sent) + len(closing), items)
    step = (f"{_CUT}{run.open_call}:{run.epoch:06}", encode(cut).decode())
    events = [encode(event) for event in closing]
    await records.write(
        RunWrite(id=run.id, epoch=run.epoch, seq=run.next_seq, events=events, step=step, open_call=None)
    )
    steps = {**run.steps, step[0]: step[1]}
    next_seq = run.next_seq + len(closing)
    return msgspec.structs.replace(run, open_call=None, next_seq=next_seq, steps=steps)
