"""Counts of executed code: figures that don't depend on the load of the machine."""

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
"""Factor by which a cost may exceed its measured value, so that small changes don't fail the tests."""


def limit(measured: float) -> float:
    """Return the bound for a measured cost."""
    return measured * MARGIN


@dataclass
class Cost:
    """Counts of what a block of code executed in its thread."""

    calls: int = 0
    """Functions called, including those written in C."""
    instructions: int = 0
    """Instructions of Python's bytecode."""


@contextmanager
def counted() -> Iterator[Cost]:
    """Count until the block ends. No garbage collection runs in it, because that could run unrelated code."""
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
