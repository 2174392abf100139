"""Sizes of tests that repeat one thing many times: some repetitions in each run, or all."""

import os
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

IS_THOROUGH = os.environ.get("ANTIPHON_THOROUGH") == "1"
"""Whether all repetitions run."""


def often(usual: int, thorough: int) -> int:
    """Return the number of repetitions."""
    return thorough if IS_THOROUGH else usual


def some_of(cases: Sequence[T], step: int) -> Sequence[T]:
    """Return every `step`-th case, other ones in each run; all cases in a thorough run."""
    if IS_THOROUGH:
        return cases
    start = random.randrange(step)
    print(f"every {step}th case, from {start}")  # noqa: T201 - pytest shows it if the test fails.
    return cases[start::step]
