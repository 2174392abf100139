"""Continuations of a recorded conversation, by which alternatives are ranked.

llama-stack's files of one test hold several generations: the same question with different tool calls and
texts. In a longer run, an answer is useful only if the calls after it are recorded too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON, JSONObject

Reach = tuple[bool, bool, int]
"""The run after a call, more is better: whether it reaches an answer without tool calls, whether it needs no
stale recording, and its number of further recorded calls."""

_Opening = tuple[str, bytes]
"""The part that all calls of a conversation share: the model and the first user message."""

Choose = Callable[[str, str, JSONObject], RecordedCall | None]
"""Returns the recording that answers a canonical key in a scope, for a request with these stream options."""


class Continuations:
    """The continuations among recorded chats; computed at first use and then cached."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._added: defaultdict[_Opening, list[RecordedCall]] = defaultdict(list)
        self._following: dict[_Opening, dict[str, list[RecordedCall]]] = {}
        self._reached: dict[tuple[str, str], Reach] = {}

    def add(self, call: RecordedCall) -> None:
        """Add a recorded chat."""
        opening = _opening(call.canonical)
        self._added[opening].append(call)
        self._following.pop(opening, None)
        self._reached.clear()

    def reach(self, call: RecordedCall, scope: str) -> Reach:
        """Return the reach of a run in `scope` after `call` answers."""
        place = (call.name, scope)
        if place not in self._reached:
            self._reached[place] = self._find_reach(call, scope)
        return self._reached[place]

    def following(self, call: RecordedCall) -> list[RecordedCall]:
        """Return the recorded calls that continue the conversation of `call`."""
        reply = reply_message(call)
        if reply is None:
            return []
        opening = _opening(call.canonical)
        if opening not in self._following:
            self._following[opening] = _by_start(self._added[opening])
        messages = [*_messages(call.request), reply]
        found = self._following[opening].get(_start_key(call.request, messages), [])
        results = _results(call)
        return [other for other in found if all(result in _results(other) for result in results)]

    def _find_reach(self, call: RecordedCall, scope: str) -> Reach:
        fresh = not call.stale
        reply = reply_message(call)
        ends = reply is None or not reply.get("tool_calls")
        # Each continuation has more messages than the call, so the recursion ends.
        keys = {other.key for other in self.following(call)}
        following = [chosen for key in keys if (chosen := self._choose(key, scope, call.request))]
        onward = max((self.reach(other, scope) for other in following), default=None)
        if onward is None:
            return ends, fresh, 0
        whole, all_fresh, length = onward
        # A run may stop after an answer without tool calls, so the calls after it add length alone.
        return (True, fresh, length + 1) if ends else (whole, fresh and all_fresh, length + 1)


def reply_message(call: RecordedCall) -> JSONObject | None:
    """Return the message of a recorded answer; None if it isn't a chat completion."""
    if call.error is not None or not call.parts:
        return None
    try:
        reply = msgspec.json.decode(fold_chunks(call.payloads()) if call.streamed else call.parts[0])
        message = reply["choices"][0]["message"]
    except (UpstreamBroken, msgspec.DecodeError, LookupError, TypeError):
        return None
    return message if isinstance(message, dict) else None


def _opening(canonical: JSONObject) -> _Opening:
    first = next((message for message in _messages(canonical) if _role(message) == "user"), None)
    return str(canonical.get("model")), msgspec.json.encode(first, order="deterministic")


def _by_start(calls: Iterable[RecordedCall]) -> dict[str, list[RecordedCall]]:
    """Return calls by each start of their conversation that ends with an answer."""
    found: dict[str, list[RecordedCall]] = {}
    for call in calls:
        messages = _messages(call.request)
        for end, message in enumerate(messages, 1):
            if _role(message) == "assistant":
                found.setdefault(_start_key(call.request, messages[:end]), []).append(call)
    return found


def _start_key(request: JSONObject, messages: Sequence[JSON]) -> str:
    """Return the key of a conversation up to an answer of the model.

    The key omits the results of the last run of tool calls: they can come after all calls, or each after its
    own call.
    """
    kept = list(messages)
    for position in range(len(kept) - 1, -1, -1):
        if _role(kept[position]) == "tool":
            del kept[position]
        elif _role(kept[position]) != "assistant":
            break
    sent = [_as_sent(message) for message in kept]
    return canonical_key(canonical_request({"model": request.get("model"), "messages": sent}))


def _as_sent(message: JSON) -> JSON:
    """Return a message without members of replies (annotations, reasoning, audio)."""
    if _role(message) != "assistant":
        return message
    return {name: message[name] for name in ("role", "content", "tool_calls") if name in message}


def _results(call: RecordedCall) -> list[JSON]:
    """Return the tool results of a request, each with the canonical id of its call."""
    messages = _messages(call.canonical)
    return [message for message in messages if _role(message) == "tool"]


def _messages(request: JSONObject) -> list[JSON]:
    messages = request.get("messages")
    return messages if isinstance(messages, list) else []


def _role(message: JSON) -> JSON:
    return message.get("role") if isinstance(message, dict) else None
