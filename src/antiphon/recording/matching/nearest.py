"""Explanation of a miss: the nearest recording and its differences."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import msgspec

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON, JSONObject

_MAX_LISTED = 6
"""Listed differences; a message counts the others."""
_EXCERPT = 70
"""Characters in the excerpt of a value."""
_LEAD = 20
"""Characters in an excerpt before the first difference of two texts."""
_COMPARED = 2000
"""Characters of two texts that are compared for their similarity."""
_CANDIDATES = 100
"""Requests with the same start whose next messages are compared."""

_ABSENT = object()

Difference = tuple[str, JSON, JSON]
"""Path of a field, its value in the request, and its value in the recording."""


def nearest(request: JSONObject, recorded: Iterable[JSONObject]) -> int | None:
    """Return the position of the recorded request nearest to a request, or None.

    The criteria, in this order: the same model, the longest common start of the conversation, the most
    similar message after it, the fewest other differences. A call without messages is compared as a whole. Of
    many requests with the same start, only the last ones are compared further.
    """
    candidates = list(recorded)
    model, messages = request.get("model"), _message_list(request)
    starts = [
        (each.get("model") == model, common_start(messages, _message_list(each))) for each in candidates
    ]
    longest = max(starts, default=None)
    close = [position for position, common in enumerate(starts) if common == longest][-_CANDIDATES:]
    return max(close, key=lambda position: _likeness(request, candidates[position]), default=None)


class Explanation(NamedTuple):
    """Why no recording answers a request."""

    message: str
    difference: str | None
    """The first difference from the nearest recording; None without a recording to compare."""


def explain_miss(
    request: JSONObject, recorded: Sequence[tuple[RecordedCall, JSONObject]], used: int
) -> Explanation:
    """Explain why no recording answers a canonical request.

    Args:
        request: The canonical request.
        recorded: The recorded calls with their canonical requests.
        used: Number of recordings of the same call, all of which have answered.
    """
    miss = f"No recording answers this call to {printable(str(request.get('model') or request.get('tool')))}."
    if used:
        times = "once" if used == 1 else f"{used} times"
        answered = "this recording has" if used == 1 else "all of these recordings have"
        message = (
            f"{miss} It is recorded {times} in its scope, and {answered} already answered. "
            "Set `repeat` to let the last one answer again."
        )
        return Explanation(message, None)
    position = nearest(request, [canonical for _, canonical in recorded])
    if position is None:
        live = " Set `replay_tools` to `live` to call the tool." if "tool" in request else ""
        return Explanation(f"{miss} No call of this kind is recorded.{live}", None)
    call, canonical = recorded[position]
    scope = f" ({printable(call.scope)})" if call.scope != DEFAULT_SCOPE else ""
    found = list(differences(request, canonical))
    message = f"{miss} The nearest is {printable(call.name)}{scope}. They differ:\n{describe(found)}"
    return Explanation(message, _line(found[0]) if found else None)


def describe(differences: Sequence[Difference]) -> str:
    """Return a line per difference; long values and lists are cut."""
    lines = [f"  {_line(each)}" for each in differences[:_MAX_LISTED]]
    if more := len(differences) - len(lines):
        lines.append(f"  and {more} more")
    return "\n".join(lines)


def printable(text: str) -> str:
    r"""Return the text with control characters and escapes as `\uXXXX`."""
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in text)


def common_start(mine: Sequence[object], theirs: Sequence[object]) -> int:
    """Return how many entries at the start of two sequences are equal."""
    common = 0
    for one, other in zip(mine, theirs, strict=False):
        if one != other:
            break
        common += 1
    return common


def _likeness(request: JSONObject, recorded: JSONObject) -> tuple[float, ...]:
    mine, theirs = _message_list(request), _message_list(recorded)
    common = common_start(mine, theirs)
    following = 0.0
    if common < min(len(mine), len(theirs)):
        following = _similarity(mine[common], theirs[common])
    elif not mine and not theirs:
        following = _similarity(request, recorded)
    names = (request.keys() | recorded.keys()) - {"model", "messages"}
    others = sum(request.get(name, _ABSENT) != recorded.get(name, _ABSENT) for name in names)
    return (following, -abs(len(mine) - len(theirs)), -others)


def _message_list(request: JSONObject) -> list[JSON]:
    messages = request.get("messages")
    return messages if isinstance(messages, list) else []


def _similarity(mine: JSON, theirs: JSON) -> float:
    """Return a fast upper bound of the similarity; the exact one needs quadratic time."""
    matcher = SequenceMatcher(None, _comparable(mine), _comparable(theirs), autojunk=False)
    return matcher.quick_ratio()


def _comparable(value: JSON) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()[:_COMPARED]


def differences(mine: JSON, theirs: JSON, path: str = "") -> Iterator[Difference]:
    """Yield the differences of two requests; `path` is the path of the values."""
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


def _line(difference: Difference) -> str:
    path, mine, theirs = difference
    return f"{path}: {_pair(mine, theirs)}"


def _pair(mine: JSON, theirs: JSON) -> str:
    start = 0
    if isinstance(mine, str) and isinstance(theirs, str):
        while start < min(len(mine), len(theirs)) and mine[start] == theirs[start]:
            start += 1
    return f"requested {_excerpt(mine, start)}, recorded {_excerpt(theirs, start)}"


def _excerpt(value: JSON, difference: int) -> str:
    """Return the part of a value around its first different character."""
    if value is _ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    start = max(0, difference - _LEAD)
    cut = text[start : start + _EXCERPT]
    before, after = "…" if start else "", "…" if start + _EXCERPT < len(text) else ""
    quote = '"' if isinstance(value, str) else ""
    return f"{quote}{before}{printable(cut)}{after}{quote}"
