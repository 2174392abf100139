"""Two runs side by side, in two columns."""

from itertools import zip_longest
from textwrap import wrap

from antiphon.cli.log.layout import MOST_TEXT, cut, printable, width
from antiphon.service.log.compare import Comparison, Pair
from antiphon.service.log.timeline import StepView

_LEAST = 60
"""The least columns of the output."""
_MOST_LINES = 12
"""The most lines of one field of a step."""
_MARK = ">"
_LABELS = ("reasoning", "text", "arguments", "result")


def side_by_side(comparison: Comparison) -> str:
    """Return the text of a comparison; a mark is before each step that differs."""
    side = (max(width(), _LEAST) - 5) // 2
    left, right = comparison.left, comparison.right
    lines = [_row("", cut(printable(left.name), side), cut(printable(right.name), side), side)]
    for name in left.head:
        if name in comparison.head:
            one, other = (_lines(f"{name}: {run.head.get(name, '')}", side) for run in (left, right))
            lines += _rows(_MARK, one, other, side)
    for number, pair in enumerate(comparison.pairs, 1):
        if number == comparison.first:
            lines += ["", f"first difference: step {number}, {', '.join(pair.differs)}"]
        lines += ["", *_pair(pair, side)]
    if comparison.first is None:
        lines += ["", "all steps are equal"]
    return "\n".join(lines)


def _pair(pair: Pair, side: int) -> list[str]:
    mark = _MARK if pair.differs else ""
    return _rows(mark, _step(pair.left, side), _step(pair.right, side), side)


def _step(step: StepView | None, side: int) -> list[str]:
    if step is None:
        return ["(no step)"]
    facts = [f"{step.number}", step.kind, step.name, *([step.finish] if step.finish else [])]
    lines = _lines("  ".join(facts), side)
    for label in _LABELS:
        if text := getattr(step, label):
            lines += _lines(f"{label}: {text}", side)
    for call in step.calls:
        lines += _lines(f"calls: {call}", side)
    if step.error is not None:
        lines += _lines(f"error: {step.error.message or step.error.code or step.error.type}", side)
    return lines


def _lines(text: str, side: int) -> list[str]:
    lines = [part for line in text[:MOST_TEXT].splitlines() for part in wrap(printable(line), side) or [""]]
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "…"]


def _rows(mark: str, left: list[str], right: list[str], side: int) -> list[str]:
    return [_row(mark, one, other, side) for one, other in zip_longest(left, right, fillvalue="")]


def _row(mark: str, left: str, right: str, side: int) -> str:
    return f"{mark:1} {left:<{side}} | {right}".rstrip()
