"""Requests that repeat earlier ones: a conversation that goes on, the same tools and schemas once more."""

from collections.abc import Mapping
from itertools import islice

import msgspec
from msgspec import Struct

from antiphon.wire.json import JSON, JSONObject

_WORTH = 60
"""Bytes that sharing has to save, or the request stands whole: fewer are not worth looking back for."""


_LOOKED_AT = 200
"""How many calls back a request may refer; it keeps a long run from getting slower with each call."""


class SharedRequest(Struct):
    """A request in terms of an earlier one.

    `like` is the number of the earlier call and `without` its keys that this one has not; `kept_messages` of
    its messages come before those in `request`, or None if `request` replaces them as any other key.
    """

    request: JSONObject
    like: int | None = None
    without: list[str] = []
    kept_messages: int | None = None


class Requests:
    """The requests of a file so far, by the numbers of their calls."""

    def __init__(self) -> None:
        self._known: dict[int, _Encoded] = {}

    def share(self, request: JSONObject, number: int) -> SharedRequest:
        """Says the request in terms of the earlier one that saves the most, and keeps it under its number."""
        encoded = _Encoded(request)
        best, most = None, _WORTH
        for earlier, candidate in islice(reversed(self._known.items()), _LOOKED_AT):
            if (saved := encoded.saved_by(candidate)) > most:
                best, most = earlier, saved
        self._known[number] = encoded
        return SharedRequest(request) if best is None else encoded.as_changes(self._known[best], best)


class _Encoded:
    """A request, its members and its messages as bytes, which are compared: Python holds 1 for true."""

    def __init__(self, request: JSONObject) -> None:
        self._request = request
        messages = request.get("messages")
        self._messages = (
            [msgspec.json.encode(each) for each in messages] if isinstance(messages, list) else []
        )
        self._members = {name: msgspec.json.encode(value) for name, value in request.items()}

    def saved_by(self, base: "_Encoded") -> int:
        """Counts the bytes that need not be written again."""
        shared = sum(
            len(name) + len(member)
            for name, member in self._members.items()
            if base._members.get(name) == member
        )
        missing = sum(len(name) + 4 for name in base._members if name not in self._members)
        kept = sum(len(message) for message in self._messages[: self._kept(base)])
        return shared + kept - missing

    def as_changes(self, base: "_Encoded", number: int) -> SharedRequest:
        """Says this request in terms of `base`, the request of the call with that number."""
        changed = {
            name: value
            for name, value in self._request.items()
            if base._members.get(name) != self._members[name]
        }
        without = [name for name in base._request if name not in self._request]
        kept = self._kept(base)
        if kept:
            changed["messages"] = self._request["messages"][kept:]
        return SharedRequest(changed, number, without, kept or None)

    def _kept(self, base: "_Encoded") -> int:
        """How many messages both begin with; 0 also when all are the same, as the member then is."""
        if self._members.get("messages") == base._members.get("messages"):
            return 0
        count = 0
        for mine, theirs in zip(self._messages, base._messages, strict=False):
            if mine != theirs:
                break
            count += 1
        return count


def restore(shared: SharedRequest, known: Mapping[int, JSONObject]) -> JSONObject:
    """Returns the request as it was sent; raises ValueError when it refers to what is not there."""
    if shared.like is None:
        return shared.request
    base = known.get(shared.like)
    if base is None:
        raise ValueError(f"is like call {shared.like}, which does not stand before it")
    request = {name: value for name, value in base.items() if name not in shared.without} | shared.request
    if shared.kept_messages is not None:
        added = shared.request.get("messages")
        if not isinstance(added, list):
            raise ValueError("keeps messages and brings none of its own")
        request["messages"] = _first(base.get("messages"), shared.kept_messages) + added
    return request


def _first(messages: JSON, count: int) -> list[JSON]:
    if not isinstance(messages, list) or not 0 <= count <= len(messages):
        raise ValueError(f"keeps {count} messages of a call that has fewer")
    return messages[:count]
