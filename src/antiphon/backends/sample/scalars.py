"""Deterministic strings and numbers that match a JSON schema.

A different `salt` gives a different value.
"""

import math
import random
import re
from collections.abc import Callable, MutableSequence, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeVar

from rstr import Rstr

from antiphon.wire.json import JSON, JSONObject

T = TypeVar("T")

_MAX_LENGTH = 100_000
_PATTERN_ATTEMPTS = 30
_PATTERN_BUDGET = 20_000


class Unsatisfiable(Exception):
    """A schema for which no value exists, or none is found with reasonable effort."""


def make_string(schema: JSONObject, name: str, words: MutableSequence[str], salt: int) -> str:
    """Return a string that matches `schema`.

    The string is the first suitable one of `words`, which is then removed, or else text with `name`.
    """
    low, high = whole(schema, "minLength", 0), whole(schema, "maxLength", _MAX_LENGTH)
    if low > high or low > _MAX_LENGTH:
        raise Unsatisfiable("no length matches")
    if isinstance(schema.get("pattern"), str):
        return _matching(schema["pattern"], low, high, salt)
    formatted = _formatted(schema.get("format"), salt)
    if formatted is not None and low <= len(formatted) <= high:
        return formatted
    if formatted is None:
        for at, word in enumerate(words):
            if low <= len(word) <= high:
                return words.pop(at)
    tail = str(salt) if salt else ""
    return _sized((name or "example").replace("_", " "), tail, low, high)


def whole(schema: JSONObject, key: str, default: int) -> int:
    """Return the whole number in `key`, or `default`; lengths and counts may be 3.0."""
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != value // 1:
        return default
    return int(value)


def _sized(text: str, tail: str, low: int, high: int) -> str:
    """Return `text` and `tail`; the text is cut or padded to the allowed length."""
    tail = tail[-high:] if high else ""
    text = text[: high - len(tail)]
    return text + "." * (low - len(text) - len(tail)) + tail


def _formatted(kind: JSON, salt: int) -> str | None:
    day, minute = 1 + salt % 28, salt % 60
    forms = {
        "date": f"2026-01-{day:02}",
        "date-time": f"2026-01-{day:02}T12:{minute:02}:00Z",
        "time": f"12:{minute:02}:00Z",
        "duration": f"P{day}D",
        "email": f"user{salt or ''}@example.com",
        "hostname": f"host{salt}.example.com",
        "uri": f"https://example.com/{salt or ''}",
        "uuid": f"123e4567-e89b-42d3-a456-{salt % 16**12:012x}",
        "ipv4": f"192.0.2.{1 + salt % 254}",
        "ipv6": f"2001:db8::{1 + salt % 0xFFFE:x}",
    }
    return forms.get(kind) if isinstance(kind, str) else None


class _SmallSteps(random.Random):
    """A seeded random source with few repetitions, a stable order and limited work."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._left = _PATTERN_BUDGET

    def randint(self, a: int, b: int) -> int:
        times = super().randint(a, max(a, min(b, a + 2)))
        self._left -= times + 1
        if self._left < 0:
            raise Unsatisfiable("the pattern requires a string that is too long")
        return times

    def choice(self, seq: "Sequence[T]") -> T:  # type: ignore[override]  # The library passes sequences.
        # The library chooses some candidates from a set, whose order differs between runs.
        texts = all(isinstance(entry, str) for entry in seq)
        return super().choice(sorted(seq, key=str) if texts else seq)


def _matching(pattern: str, low: int, high: int, salt: int) -> str:
    for attempt in range(_PATTERN_ATTEMPTS):
        try:
            text = Rstr(_SmallSteps(salt * _PATTERN_ATTEMPTS + attempt)).xeger(pattern)
            # A pattern without anchors may match anywhere, so padding can lengthen the text.
            for candidate in (text, text + "a" * (low - len(text))):
                if low <= len(candidate) <= high and re.search(pattern, candidate):
                    return candidate
        except (re.error, KeyError, ValueError, IndexError, RecursionError, OverflowError) as error:
            raise Unsatisfiable(f"the pattern {pattern[:80]!r} is too complex") from error
    raise Unsatisfiable(f"no string was found for the pattern {pattern[:80]!r}")


class _Bounds(NamedTuple):
    low: Fraction | None
    open_low: bool
    """Whether the lower bound itself is excluded."""
    high: Fraction | None
    open_high: bool
    """Whether the upper bound itself is excluded."""

    def hold(self, value: Fraction) -> bool:
        above = self.low is None or value > self.low or (value == self.low and not self.open_low)
        below = self.high is None or value < self.high or (value == self.high and not self.open_high)
        return above and below


def make_number(schema: JSONObject, *, integer: bool, salt: int) -> int | float:
    """Return a number within the schema's bounds, as `int` if it is whole."""
    bounds = _bounds(schema)
    step = _exact(schema.get("multipleOf"))
    if step is None and integer:
        step = Fraction(1)
    if step is None:
        value = _between(bounds, salt)
    elif step <= 0:
        raise Unsatisfiable("multipleOf must be positive")
    else:
        # The whole numbers among the multiples of a/b (in lowest terms) are the multiples of a.
        value = _multiple(Fraction(step.numerator) if integer else step, bounds, salt)
    if not bounds.hold(value):
        raise Unsatisfiable("no number is within the bounds")
    return int(value) if value.denominator == 1 else float(value)


def _bounds(schema: JSONObject) -> _Bounds:
    """Return the bounds; an exclusive one is a number, or a boolean as in OpenAPI 3.0."""
    low, open_low = _bound(schema, "minimum", "exclusiveMinimum", max)
    high, open_high = _bound(schema, "maximum", "exclusiveMaximum", min)
    return _Bounds(low, open_low, high, open_high)


def _bound(
    schema: JSONObject, plain: str, exclusive: str, tighter: Callable[[Fraction, Fraction], Fraction]
) -> tuple[Fraction | None, bool]:
    included, excluded = _exact(schema.get(plain)), _exact(schema.get(exclusive))
    if excluded is None:
        return included, schema.get(exclusive) is True
    if included is None or tighter(included, excluded) == excluded:
        return excluded, True
    return included, False


def _exact(value: JSON) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return Fraction(value) if isinstance(value, int) else Fraction(str(value))


def _between(bounds: _Bounds, salt: int) -> Fraction:
    low, open_low, high, open_high = bounds
    if low is not None and high is not None:
        if not open_low and salt == 0:
            return low
        if not open_high and salt == 1:
            return high
        return low + (high - low) / (salt + 2)
    if low is not None:
        return low + salt + (1 if open_low else 0)
    if high is not None:
        return high - salt - (1 if open_high else 0)
    return Fraction(3, 2) + salt


def _multiple(step: Fraction, bounds: _Bounds, salt: int) -> Fraction:
    """Return the multiple `salt` steps above the lower bound, or else below 1."""
    if bounds.low is not None:
        count = math.ceil(bounds.low / step)
        count += 1 if bounds.open_low and count * step == bounds.low else 0
        return (count + salt) * step
    if bounds.high is not None:
        count = math.floor(bounds.high / step)
        count -= 1 if bounds.open_high and count * step == bounds.high else 0
        return (min(1, count) - salt) * step
    return (1 + salt) * step
