"""Comparison of the engine's output with recordings, place by place."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from antiphon.wire.json import JSON, JSONObject

Kind = Literal["value", "absent here", "absent there"]
"""The values differ; the engine's side lacks the key; the recording lacks the key."""

_TIMES = {"created_at", "completed_at"}


class Difference(NamedTuple):
    path: str
    """Keys joined by dots, `[]` for every list index: `response.output[].content[].text`."""
    kind: Kind
    recorded: JSON
    ours: JSON


class Comparison:
    """Comparison of the values of one exchange.

    Ids may differ, but must have the same prefix, and equal ids in the recording must be equal in the
    engine's output. Times may differ, but both sides must have one or none. Padding (`obfuscation`) is
    omitted.
    """

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def differences(self, path: str, recorded: JSON, ours: JSON) -> Iterator[Difference]:
        """Yield the places where the two values differ."""
        if isinstance(recorded, dict) and isinstance(ours, dict):
            yield from self._objects(path, recorded, ours)
        elif isinstance(recorded, list) and isinstance(ours, list):
            for one, other in zip(recorded, ours, strict=False):
                yield from self.differences(f"{path}[]", one, other)
            if len(recorded) != len(ours):
                yield Difference(f"{path}[]", "value", len(recorded), len(ours))
        elif type(recorded) is not type(ours) or recorded != ours:
            yield Difference(path, "value", recorded, ours)

    def _objects(self, path: str, recorded: JSONObject, ours: JSONObject) -> Iterator[Difference]:
        for key in sorted((recorded.keys() | ours.keys()) - {"obfuscation"}):
            place = f"{path}.{key}"
            if key not in ours:
                yield Difference(place, "absent here", recorded[key], None)
            elif key not in recorded:
                yield Difference(place, "absent there", None, ours[key])
            elif key in _TIMES and isinstance(recorded[key], int) and isinstance(ours[key], int):
                continue
            elif key in ("id", "item_id", "container_id"):
                if not self._same_id(recorded[key], ours[key]):
                    yield Difference(place, "value", recorded[key], ours[key])
            else:
                yield from self.differences(place, recorded[key], ours[key])

    def _same_id(self, recorded: str, ours: str) -> bool:
        return (
            recorded.split("_")[0] == ours.split("_")[0]
            and self._ours.setdefault(recorded, ours) == ours
            and self._recorded.setdefault(ours, recorded) == recorded
        )


class Deviation(NamedTuple):
    """A known difference, and the reason why it is not an error."""

    path: str
    """A regular expression for the whole path."""
    kind: Kind
    reason: str
    unless_sent: str = ""
    """A key without which in the request the deviation applies: the API fills in a default."""

    def covers(self, difference: Difference, request: JSONObject) -> bool:
        """Return whether this deviation explains the difference."""
        return (
            difference.kind == self.kind
            and re.fullmatch(self.path, difference.path) is not None
            and not (self.unless_sent and _is_sent(request, self.unless_sent))
        )


def _is_sent(request: JSONObject, path: str) -> bool:
    value: JSON = request
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value is not None
