"""The steps of a response as a waterfall."""

from collections.abc import Sequence

from msgspec import Struct

from antiphon.service.log.timeline import StepView

_WIDTH = 1000
"""Units of the drawing from the beginning to the end of the response."""
_LEAST = 4


class Bar(Struct, frozen=True, kw_only=True):
    """One step, with its place in the drawing."""

    step: StepView
    start: int
    width: int
    waiting: int
    """Width of the time before the first bytes."""
    notes: list[str]
    """Facts about the step, in a few words each."""
    error: str


class Timeline(Struct, frozen=True, kw_only=True):
    """The steps of a response in the order of their beginning."""

    seconds: float
    bars: list[Bar]
    left_out: int
    """Number of further steps that the log does not have."""


def waterfall(steps: Sequence[StepView], seconds: float | None, left_out: int) -> Timeline:
    """Return the drawing of steps.

    Args:
        steps: The steps.
        seconds: Duration of the response, if it has ended.
        left_out: Number of further steps that the log does not have.
    """
    end = max([seconds or 0.0, *(step.at + step.seconds for step in steps), 0.001])
    return Timeline(seconds=end, bars=[_bar(step, end) for step in steps], left_out=left_out)


def _bar(step: StepView, end: float) -> Bar:
    start = max(min(round(step.at / end * _WIDTH), _WIDTH - _LEAST), 0)
    width = max(min(round(step.seconds / end * _WIDTH), _WIDTH - start), _LEAST)
    error = step.error
    return Bar(
        step=step,
        start=start,
        width=width,
        waiting=0 if step.first is None else min(round(step.first / end * _WIDTH), width),
        notes=_notes(step),
        error="" if error is None else ": ".join(filter(None, [error.code or error.type, error.message])),
    )


def _notes(step: StepView) -> list[str]:
    notes: list[str] = []
    if step.purpose is not None:
        notes.append(step.purpose)
    if step.usage is not None:
        notes.append(f"{step.usage.input} → {step.usage.output} tokens")
        if step.usage.cached:
            notes.append(f"{step.usage.cached} cached")
        if step.usage.reasoning:
            notes.append(f"{step.usage.reasoning} reasoning")
    if step.finish is not None:
        notes.append(f"finish: {step.finish}")
    if step.retries:
        notes.append(f"retries: {len(step.retries)} ({step.retries[-1]})")
    if step.is_approved:
        notes.append("approved")
    if step.is_kept:
        notes.append("from the original")
    if step.failed and step.error is None:
        notes.append("failed")
    return notes
