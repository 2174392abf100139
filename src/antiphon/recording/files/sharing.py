"""Shared parts of requests: the messages of a conversation, tools and schemas."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from antiphon.wire.json import JSON, JSONObject

_MIN_SAVING = 60
"""Bytes that sharing has to save; otherwise the request is written in full, which is easier to read."""
_MAX_DISTANCE = 200
"""Earlier calls to which a request can refer; the limit keeps the time per call constant in long runs."""


class SharedRequest(Struct):
    """A request as changes to an earlier one."""

    request: JSONObject
    """The members that differ; the whole request if `like` is None."""
    like: int | None = None
    """The number of the earlier call."""
    without: list[str] = []
    """The keys of the earlier request that this one lacks."""
    kept_messages: int | None = None
    """Messages of the earlier request before those in `request`; None if `request` replaces them."""


class Requests:
    """The latest requests of a file, by the numbers of their calls."""

    def __init__(self) -> None:
        self._known: dict[int, _Encoded] = {}

    def share(self, request: JSONObject, number: int, address: bytes = b"") -> SharedRequest:
        """Return a request as changes to the earlier one that saves most, and add it.

        A call that refers to another one with the same `address` doesn't repeat it.
        """
        encoded = _Encoded(request, address)
        best, most = None, _MIN_SAVING
        for earlier, candidate in reversed(self._known.items()):
            if (saved := encoded.saved_by(candidate)) > most:
                best, most = earlier, saved
        shared = SharedRequest(request) if best is None else encoded.as_changes(self._known[best], best)
        self._known[number] = encoded
        if len(self._known) > _MAX_DISTANCE:
            del self._known[next(iter(self._known))]
        return shared

    def forget(self, number: int) -> None:
        """Remove the latest request, if it was added."""
        self._known.pop(number, None)


class _Encoded:
    """A request with members, messages and address as bytes, because `1 == True` in Python."""

    def __init__(self, request: JSONObject, address: bytes) -> None:
        self._request = request
        self._address = address
        messages = request.get("messages")
        self._messages = (
            [msgspec.json.encode(each) for each in messages] if isinstance(messages, list) else []
        )
        self._members = {name: msgspec.json.encode(value) for name, value in request.items()}

    def saved_by(self, base: "_Encoded") -> int:
        """Return the number of bytes that a reference to `base` saves."""
        shared = sum(
            len(name) + len(member)
            for name, member in self._members.items()
            if base._members.get(name) == member
        )
        missing = sum(len(name) + 4 for name in base._members if name not in self._members)
        kept = sum(len(message) for message in self._messages[: self._kept(base)])
        address = len(self._address) if self._address == base._address else 0
        return shared + kept + address - missing

    def as_changes(self, base: "_Encoded", number: int) -> SharedRequest:
        """Return this request as changes to `base`, the request of call `number`."""
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
        """Return the number of common messages at the start; 0 if all are equal.

        If all are equal, the member `messages` is shared like every other member.
        """
        if self._members.get("messages") == base._members.get("messages"):
            return 0
        count = 0
        for mine, theirs in zip(self._messages, base._messages, strict=False):
            if mine != theirs:
                break
            count += 1
        return count


def restore(shared: SharedRequest, known: Mapping[int, JSONObject]) -> JSONObject:
    """Return the request as it was sent.

    Raises:
        ValueError: The request refers to a call, or to messages, that do not exist.
    """
    if shared.like is None:
        return shared.request
    base = known.get(shared.like)
    if base is None:
        raise ValueError(f"is like call {shared.like}, which isn't before it")
    request = {name: value for name, value in base.items() if name not in shared.without} | shared.request
    if shared.kept_messages is not None:
        added = shared.request.get("messages")
        if not isinstance(added, list):
            raise ValueError("keeps messages and has none of its own")
        request["messages"] = _first(base.get("messages"), shared.kept_messages) + added
    return request


def _first(messages: JSON, count: int) -> list[JSON]:
    if not isinstance(messages, list) or not 0 <= count <= len(messages):
        raise ValueError(f"keeps {count} messages of a call that has fewer")
    return messages[:count]
