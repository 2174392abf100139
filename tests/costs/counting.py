"""Counts what code does: figures that no busy machine changes."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import TraceFunction


MARGIN = 1.15
"""How much more than its measured cost a piece of work may take. Small changes are no reason to fail."""


def limit(measured: float) -> float:
    """Return the bound for a cost that was measured once."""
    return measured * MARGIN


@dataclass
class Cost:
    """What a block of code has done in its thread."""

    calls: int = 0
    """Functions called, those written in C included."""
    instructions: int = 0
    """Instructions of Python's bytecode."""


@contextmanager
def counted() -> Iterator[Cost]:
    """Counts until the block ends. No search for garbage falls into it, which could run anybody's code."""
    cost = Cost()

    def profile(frame: FrameType, kind: str, argument: object) -> None:
        cost.calls += kind in ("call", "c_call")

    def begin(frame: FrameType, kind: str, argument: object) -> "TraceFunction":
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return trace

    def trace(frame: FrameType, kind: str, argument: object) -> "TraceFunction":
        cost.instructions += kind == "opcode"
        return trace

    gc.collect()
    gc.disable()
    sys.settrace(begin)
    sys.setprofile(profile)
    try:
        yield cost
    finally:
        sys.setprofile(None)
        sys.settrace(None)
        gc.enable()
