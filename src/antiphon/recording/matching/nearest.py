"""Says why no recording answers a request: the nearest one, and where it differs."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import msgspec

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON, JSONObject

_LISTED = 6
"""Differences that are listed; the rest is counted."""
_SHOWN = 70
"""Characters that are shown of a value."""
_LEAD = 20
"""Characters that are shown before the place where two texts part."""
_COMPARED = 2000
"""Characters of two texts that are compared to say how near they are."""

_CANDIDATES = 100
"""Requests that are compared message by message, of those that begin alike."""

_ABSENT = object()

Difference = tuple[str, JSON, JSON]
"""The path of a field, its value in the request, and its value in the recording."""


def nearest(asked: JSONObject, recorded: Iterable[JSONObject]) -> int | None:
    """Returns the position of the canonical request that is nearest to `asked`, or None if there is none.

    Nearest has, in this order: the same model, the longest common beginning of the conversation, the most
    similar message after it, the fewest other differences. Of very many with the same beginning only the
    last ones are compared further.
    """
    requests = list(recorded)
    model, messages = asked.get("model"), _message_list(asked)
    beginnings = [
        (request.get("model") == model, _common(messages, _message_list(request))) for request in requests
    ]
    longest = max(beginnings, default=None)
    close = [position for position, common in enumerate(beginnings) if common == longest][-_CANDIDATES:]
    return max(close, key=lambda position: _likeness(asked, requests[position]), default=None)


class Explanation(NamedTuple):
    """Why no recording answers a request."""

    message: str
    difference: str | None
    """The first field that differs from the nearest recording; None where there is none to compare."""


def explain_miss(
    asked: JSONObject, recorded: Sequence[tuple[RecordedCall, JSONObject]], used: int
) -> Explanation:
    """Explain why nothing answers the canonical request `asked`, by the nearest recording.

    Args:
        asked: The canonical request.
        recorded: The recorded calls with their canonical requests.
        used: How many of them are this very call, and have answered before.
    """
    miss = f"No recording answers this call to {printable(str(asked.get('model') or asked.get('tool')))}."
    if used:
        times = "once" if used == 1 else f"{used} times"
        message = (
            f"{miss} It is recorded {times} in its scope, and all of that has been used; "
            "`repeat` lets the last answer again."
        )
        return Explanation(message, None)
    position = nearest(asked, [canonical for _, canonical in recorded])
    if position is None:
        return Explanation(miss, None)
    call, canonical = recorded[position]
    scope = f" ({printable(call.scope)})" if call.scope != DEFAULT_SCOPE else ""
    found = list(differences(asked, canonical))
    message = f"{miss} The nearest is {printable(call.name)}{scope}. They differ:\n{describe(found)}"
    return Explanation(message, found[0][0] if found else None)


def describe(differences: Sequence[Difference]) -> str:
    """Return a line per difference; long values and lists are cut."""
    lines = [f"  {path}: {_pair(mine, theirs)}" for path, mine, theirs in differences[:_LISTED]]
    if more := len(differences) - len(lines):
        lines.append(f"  and {more} more")
    return "\n".join(lines)


def printable(text: str) -> str:
    """Writes what a terminal would not print (control characters, escapes) as `\\uXXXX`."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def _common(mine: list[JSON], theirs: list[JSON]) -> int:
    """How many messages at the beginning are the same."""
    common = 0
    for one, other in zip(mine, theirs, strict=False):
        if one != other:
            break
        common += 1
    return common


def _likeness(asked: JSONObject, recorded: JSONObject) -> tuple[float, ...]:
    mine, theirs = _message_list(asked), _message_list(recorded)
    common = _common(mine, theirs)
    following = 0.0
    if common < min(len(mine), len(theirs)):
        following = _similarity(mine[common], theirs[common])
    names = (asked.keys() | recorded.keys()) - {"model", "messages"}
    others = sum(asked.get(name, _ABSENT) != recorded.get(name, _ABSENT) for name in names)
    return (following, -abs(len(mine) - len(theirs)), -others)


def _message_list(request: JSONObject) -> list[JSON]:
    messages = request.get("messages")
    return messages if isinstance(messages, list) else []


def _similarity(mine: JSON, theirs: JSON) -> float:
    """A quick upper bound of what two messages share: an exact one costs the square of their length."""
    matcher = SequenceMatcher(None, _comparable(mine), _comparable(theirs), autojunk=False)
    return matcher.quick_ratio()


def _comparable(value: JSON) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()[:_COMPARED]


def differences(mine: JSON, theirs: JSON, path: str = "") -> Iterator[Difference]:
    """Yield the differences of two canonical requests, by the path of the field that differs."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            inner = f"{path}.{name}" if path else name
            yield from differences(mine.get(name, _ABSENT), theirs.get(name, _ABSENT), inner)
    elif isinstance(mine, list) and isinstance(theirs, list):
        for position in range(max(len(mine), len(theirs))):
            mine_here = mine[position] if position < len(mine) else _ABSENT
            theirs_here = theirs[position] if position < len(theirs) else _ABSENT
            yield from differences(mine_here, theirs_here, f"{path}[{position}]")
    elif type(mine) is not type(theirs) or mine != theirs:
        yield path, mine, theirs


def _pair(mine: JSON, theirs: JSON) -> str:
    start = 0
    if isinstance(mine, str) and isinstance(theirs, str):
        while start < min(len(mine), len(theirs)) and mine[start] == theirs[start]:
            start += 1
    return f"asked {_shown(mine, start)}, recorded {_shown(theirs, start)}"


def _shown(value: JSON, parting: int) -> str:
    """The part of a value around the character at which it parts from the other one."""
    if value is _ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    start = max(0, parting - _LEAD)
    cut = text[start : start + _SHOWN]
    before, after = "…" if start else "", "…" if start + _SHOWN < len(text) else ""
    quote = '"' if isinstance(value, str) else ""
    return f"{quote}{before}{printable(cut)}{after}{quote}"
