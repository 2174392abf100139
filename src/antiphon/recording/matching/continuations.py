"""Which of several recordings of one call lead on to recorded calls.

llama-stack's files of one test hold several generations: the same question, other tool calls, other words.
An answer is only of use in a longer run when what follows it is recorded too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON, JSONObject

Track = tuple[bool, bool, int]
"""How good it is to choose a call: whether the run gets to an answer that calls no tool; whether no stale
recording is needed on the way; how many further calls are recorded."""

_Opening = tuple[str, bytes]
"""What all calls of one conversation share: the model and the first thing that the user says."""

Choose = Callable[[str, str], RecordedCall | None]
"""Gives the recording that would answer a canonical key in a scope."""


class Tracks:
    """The continuations among recorded chats; worked out when they are asked for, and then kept."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._added: defaultdict[_Opening, list[RecordedCall]] = defaultdict(list)
        self._following: dict[_Opening, dict[str, list[RecordedCall]]] = {}
        self._known: dict[tuple[str, str], Track] = {}

    def add(self, call: RecordedCall) -> None:
        """Takes a recorded chat in."""
        opening = _opening(call.canonical)
        self._added[opening].append(call)
        self._following.pop(opening, None)
        self._known.clear()

    def follow(self, call: RecordedCall, scope: str) -> Track:
        """Returns how far a run in `scope` gets when `call` answers."""
        place = (call.name, scope)
        if place not in self._known:
            self._known[place] = self._track(call, scope)
        return self._known[place]

    def continuations(self, call: RecordedCall) -> list[RecordedCall]:
        """Returns the recorded calls whose conversation goes on from the answer of `call`."""
        said = reply_message(call)
        if said is None:
            return []
        opening = _opening(call.canonical)
        if opening not in self._following:
            self._following[opening] = _by_beginning(self._added[opening])
        messages = [*_messages(call.request), said]
        found = self._following[opening].get(_beginning(call.request, messages), [])
        results = _results(call)
        return [other for other in found if all(result in _results(other) for result in results)]

    def _track(self, call: RecordedCall, scope: str) -> Track:
        fresh = not call.stale
        said = reply_message(call)
        ends = said is None or not said.get("tool_calls")
        # Each continuation has more messages than the call, so this comes to an end.
        keys = {other.key for other in self.continuations(call)}
        following = [chosen for key in keys if (chosen := self._choose(key, scope)) is not None]
        onward = max((self.follow(other, scope) for other in following), default=None)
        if onward is None:
            return ends, fresh, 0
        whole, all_fresh, length = onward
        # After an answer without tool calls a run may stop, so what follows it only adds length.
        return (True, fresh, length + 1) if ends else (whole, fresh and all_fresh, length + 1)


def reply_message(call: RecordedCall) -> JSONObject | None:
    """Returns the message of a recorded answer; None for an error, or what is no chat completion."""
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


def _by_beginning(calls: Iterable[RecordedCall]) -> dict[str, list[RecordedCall]]:
    """Finds calls by each beginning of their conversation that ends with what the model said."""
    found: dict[str, list[RecordedCall]] = {}
    for call in calls:
        messages = _messages(call.request)
        for end, message in enumerate(messages, 1):
            if _role(message) == "assistant":
                found.setdefault(_beginning(call.request, messages[:end]), []).append(call)
    return found


def _beginning(request: JSONObject, messages: Sequence[JSON]) -> str:
    """The key of a conversation up to an answer of the model.

    The results of the last run of tool calls are left out: whether they stand after all calls or each after
    its own is a matter of wording.
    """
    kept = list(messages)
    for position in range(len(kept) - 1, -1, -1):
        if _role(kept[position]) == "tool":
            del kept[position]
        elif _role(kept[position]) != "assistant":
            break
    said = [_spoken(message) for message in kept]
    return canonical_key(canonical_request({"model": request.get("model"), "messages": said}))


def _spoken(message: JSON) -> JSON:
    """A message without what replies have and requests have not (annotations, reasoning, audio)."""
    if _role(message) != "assistant":
        return message
    return {name: message[name] for name in ("role", "content", "tool_calls") if name in message}


def _results(call: RecordedCall) -> list[JSON]:
    """The tool results of a request, each with the canonical id of its call."""
    messages = _messages(call.canonical)
    return [message for message in messages if _role(message) == "tool"]


def _messages(request: JSONObject) -> list[JSON]:
    messages = request.get("messages")
    return messages if isinstance(messages, list) else []


def _role(message: JSON) -> JSON:
    return message.get("role") if isinstance(message, dict) else None
