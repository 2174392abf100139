"""Index of recorded chats by llama-stack's hash and by canonical key."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.exact_hash import as_streaming_request, request_hash
from antiphon.recording.calls.recorded import CAPABILITIES, RecordedCall
from antiphon.recording.matching.continuations import Continuations
from antiphon.recording.matching.sequence import Entry, Sequences, eligible
from antiphon.recording.matching.volatile import Rule, VolatileIndex, rules_needed
from antiphon.wire.json import JSONObject


@dataclass(frozen=True)
class Hit:
    """A recording that answers a call."""

    call: RecordedCall
    how: Literal["exact", "canonical"]
    """Whether the requests are equal, or only their canonical or normalized forms."""
    rules: Sequence[str] = ()
    """The names of the volatile rules that made the requests equal."""


@dataclass(frozen=True)
class Miss:
    """A call that no recording answers."""

    canonical: JSONObject
    """The canonical request."""
    used: int = 0
    """Number of recordings of the same call that have already answered in the scope."""


class ChatIndex:
    """Recorded chats in memory.

    No method awaits, so two requests never get the same recording of a sequence.
    """

    def __init__(self, rules: Sequence[Rule], *, repeat: bool) -> None:
        self._rules = rules
        self._sequences = Sequences(repeat=repeat)
        self._clear()

    def _clear(self) -> None:
        self.entries: list[Entry] = []
        self.models: dict[str, dict[str | None, JSONObject]] = {}
        """The names of the recorded models, each with its capability switches by backend."""
        self._continuations = Continuations(self._alternative)
        self._by_key: defaultdict[str, list[Entry]] = defaultdict(list)
        self._volatile = VolatileIndex(self._rules)
        self._by_hash: dict[str, RecordedCall] = {}
        self._addresses: defaultdict[str, dict[tuple[str, str, bool], str]] = defaultdict(dict)
        self._best: dict[tuple[str, str], Entry] = {}

    def add(self, call: RecordedCall) -> Entry:
        """Add a recorded chat after those of its scope.

        Raises:
            RecursionError: The request is nested too deeply.
        """
        entry = Entry(call, call.canonical, call.key)
        self._add(entry)
        return entry

    def _add(self, entry: Entry) -> None:
        call = entry.call
        self.entries.append(entry)
        self._best.clear()
        if isinstance(name := call.request.get("model"), str):
            switches = call.address.metadata.get(CAPABILITIES, {})
            self.models.setdefault(name, {}).setdefault(call.backend, switches)
        self._by_key[entry.key].append(entry)
        self._volatile.add(entry)
        if call.named_by_hash:
            self._add_alternative(entry)

    def begin(self, scope: str) -> None:
        """Restart the sequences of a scope."""
        self._sequences.restart(scope)

    def restart(self, scope: str, file: str) -> None:
        """Remove the recordings of a file and restart the sequences of a scope."""
        self.begin(scope)
        kept = [entry for entry in self.entries if entry.call.file != file]
        if len(kept) < len(self.entries):
            self._clear()
            for entry in kept:
                self._add(entry)

    def mark_used(self, entry: Entry) -> None:
        """Mark a recording as used, because its call was just made."""
        self._sequences.mark_used(entry)

    def find(self, request: JSONObject, scope: str, backend: str = "") -> Hit | Miss:
        """Return the recording that answers a request, and mark it as used.

        If several recordings match, those of `backend` have priority.

        Raises:
            RecursionError: The request is nested too deeply.
        """
        canonical = canonical_request(request)
        candidates = self._by_key.get(canonical_key(canonical), ())
        # The hash takes the most time; if one recording has the key, there is no choice to make.
        if len(candidates) != 1 and not any(_is_own(entry, scope) for entry in candidates):
            call = self._exact(request, scope)
            if call is not None:
                return Hit(call, "exact")
        if candidates:
            entry = self._sequences.take(
                candidates, scope, backend, lambda group: self._best_of(group, scope)
            )
            if entry is None:
                return Miss(canonical, used=len(eligible(candidates, scope, backend)))
            same = entry.call.scope == scope and entry.call.request == request
            return Hit(entry.call, "exact" if same and not entry.call.stale else "canonical")
        return self._find_normalized(canonical, scope, backend)

    def _find_normalized(self, canonical: JSONObject, scope: str, backend: str) -> Hit | Miss:
        candidates = self._volatile.find(canonical)
        if not candidates:
            return Miss(canonical)

        def rank(entry: Entry) -> tuple[bool, bool, bool, int, int, str]:
            return self._rank(entry, scope, rules_needed(canonical, entry.canonical, self._rules)[1])

        chosen = self._sequences.take(candidates, scope, backend, lambda group: min(group, key=rank))
        if chosen is None:
            return Miss(canonical, used=len(eligible(candidates, scope, backend)))
        return Hit(chosen.call, "canonical", rules_needed(canonical, chosen.canonical, self._rules)[0])

    def _add_alternative(self, entry: Entry) -> None:
        call = entry.call
        self._by_hash[call.hash_name.removesuffix(".json")] = call
        self._continuations.add(call)
        try:
            address = urlsplit(call.address.url)
        except ValueError:
            return
        place = (call.address.method, address.path, "bedrock" in address.netloc)
        self._addresses[call.scope].setdefault(place, call.address.url)

    def _exact(self, request: JSONObject, scope: str) -> RecordedCall | None:
        test_id = None if scope == DEFAULT_SCOPE else scope
        addresses = self._addresses.get(scope, {})
        for body in (request,) if request.get("stream") else (request, as_streaming_request(request)):
            for (method, _, _), url in addresses.items():
                call = self._by_hash.get(request_hash(method, url, body, test_id))
                if call is not None:
                    return call
        return None

    def _alternative(self, key: str, scope: str) -> RecordedCall | None:
        candidates = self._by_key.get(key)
        group = eligible(candidates, scope, "") if candidates else ()
        return self._best_of(group, scope).call if group else None

    def _best_of(self, group: Sequence[Entry], scope: str) -> Entry:
        if len(group) == 1:
            return group[0]
        place = (group[0].key, scope)
        if place not in self._best:
            self._best[place] = min(group, key=lambda entry: self._rank(entry, scope, 0))
        return self._best[place]

    def _rank(self, entry: Entry, scope: str, normalized: int) -> tuple[bool, bool, bool, int, int, str]:
        """Return the sort key of an alternative, smallest for the best.

        `normalized` is the number of texts that differ and are equal after normalization.
        """
        ends, fresh, length = self._continuations.reach(entry.call, scope)
        return (not ends, not fresh, entry.call.stale, normalized, -length, entry.call.hash_name)


def _is_own(entry: Entry, scope: str) -> bool:
    return entry.call.scope == scope and not entry.call.named_by_hash
