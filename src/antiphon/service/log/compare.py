"""Comparison of two runs, step by step: of two responses, or of two sets of recordings. Pure."""

from itertools import zip_longest

import msgspec
from msgspec import Struct

from antiphon.service.log.entries import LoggedResponse
from antiphon.service.log.timeline import StepView
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSONObject

_COMPARED = ("kind", "name", "arguments", "reasoning", "text", "calls", "result", "finish", "failed", "error")
"""The fields of steps that are compared; times and tokens differ from run to run."""


class ComparedRun(Struct, frozen=True, kw_only=True):
    """One of two runs."""

    name: str
    """ID of the response, or the directory of the recordings."""
    head: dict[str, str]
    """The model, the instructions, the input and the tools."""
    steps: list[StepView]
    """The steps."""


class Pair(Struct, frozen=True, kw_only=True):
    """The steps of both runs at one place."""

    left: StepView | None
    """The step of the first run; None if it has fewer steps."""
    right: StepView | None
    """The step of the second run; None if it has fewer steps."""
    differs: list[str]
    """Names of the fields that differ; `step` if one run has no step there."""


class Comparison(Struct, frozen=True, kw_only=True):
    """Two runs side by side."""

    left: ComparedRun
    """The first run."""
    right: ComparedRun
    """The second run."""
    head: list[str]
    """Names of the members of `head` that differ."""
    pairs: list[Pair]
    """The steps."""
    first: int | None
    """Number of the first pair that differs, from 1; None if all steps are equal."""


def compared(left: ComparedRun, right: ComparedRun) -> Comparison:
    """Return two runs side by side."""
    pairs = [
        Pair(left=one, right=other, differs=_differs(one, other))
        for one, other in zip_longest(left.steps, right.steps)
    ]
    return Comparison(
        left=left,
        right=right,
        head=[name for name in left.head if left.head[name] != right.head.get(name)],
        pairs=pairs,
        first=next((number for number, pair in enumerate(pairs, 1) if pair.differs), None),
    )


def _differs(one: StepView | None, other: StepView | None) -> list[str]:
    if one is None or other is None:
        return ["step"]
    return [name for name in _COMPARED if getattr(one, name) != getattr(other, name)]


def run_of(logged: LoggedResponse) -> ComparedRun:
    """Return a response for a comparison."""
    response = logged.response
    tools = [] if response is None else response.tools
    head = {
        "model": logged.entry.model,
        "instructions": "" if response is None else response.instructions or "",
        "input": "\n".join(_without_id(item) for item in logged.input),
        "tools": msgspec.json.encode(tools).decode(),
    }
    return ComparedRun(name=logged.entry.id, head=head, steps=logged.timeline)


def _without_id(item: Item) -> str:
    if isinstance(item, Message) and not isinstance(item.content, str):
        texts = [getattr(part, "text", None) for part in item.content]
        if all(isinstance(text, str) for text in texts):
            return f"{item.role}: {''.join(map(str, texts))}"
    members: JSONObject = msgspec.to_builtins(item)
    members.pop("id", None)
    return msgspec.json.encode(members).decode()
