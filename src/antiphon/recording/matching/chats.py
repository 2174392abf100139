"""Finds the recording that answers a chat request: by llama-stack's hash, by the canonical key, or not."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.exact_hash import asked_as_stream, request_hash
from antiphon.recording.calls.recorded import CAPABILITIES, RecordedCall
from antiphon.recording.matching.continuations import Tracks
from antiphon.recording.matching.sequence import Entry, Turns, lent
from antiphon.recording.matching.volatile import Rule, VolatileIndex, needed
from antiphon.wire.json import JSONObject


@dataclass(frozen=True)
class Hit:
    """The recording that answers, how it was found, and the volatile rules that this took."""

    call: RecordedCall
    how: Literal["exact", "canonical"]
    rules: Sequence[str] = ()


@dataclass(frozen=True)
class Miss:
    """No recording answers; `used` recordings of this very call have answered before, in the same scope."""

    canonical: JSONObject
    used: int = 0


class ChatIndex:
    """Recorded chats in memory. Nothing here waits: two callers never get the same turn of a sequence."""

    def __init__(self, rules: Sequence[Rule], *, repeat: bool) -> None:
        self._rules = rules
        self._turns = Turns(repeat=repeat)
        self._clear()

    def _clear(self) -> None:
        self.entries: list[Entry] = []
        self.models: dict[str, dict[str | None, JSONObject]] = {}
        """The names of the recorded models, and by backend the capability switches of each."""
        self._tracks = Tracks(self._alternative)
        self._by_key: defaultdict[str, list[Entry]] = defaultdict(list)
        self._volatile = VolatileIndex(self._rules)
        self._by_hash: dict[str, RecordedCall] = {}
        self._addresses: defaultdict[str, dict[tuple[str, str, bool], str]] = defaultdict(dict)
        self._best: dict[tuple[str, str], Entry] = {}

    def add(self, call: RecordedCall) -> Entry:
        """Takes a recorded chat in, after those of its scope; raises RecursionError for a monstrous one."""
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
        """Begins a scope anew: the first of its recordings is the next."""
        self._turns.restart(scope)

    def restart(self, scope: str, file: str) -> None:
        """Forgets what stands in the file of a scope, and begins the scope anew."""
        self.begin(scope)
        kept = [entry for entry in self.entries if entry.call.file != file]
        if len(kept) < len(self.entries):
            self._clear()
            for entry in kept:
                self._add(entry)

    def mark(self, entry: Entry) -> None:
        """Says that a recording has had its turn: its call was just made."""
        self._turns.mark(entry)

    def find(self, request: JSONObject, scope: str, backend: str = "") -> Hit | Miss:
        """Returns what answers a request, and takes its turn; raises RecursionError for a monstrous one.

        Of several recordings those of the `backend` go first.
        """
        canonical = canonical_request(request)
        candidates = self._by_key.get(canonical_key(canonical), ())
        # The hash takes the longest; where one recording has the key, there is nothing to choose.
        if len(candidates) != 1 and not any(_is_own(entry, scope) for entry in candidates):
            call = self._exact(request, scope)
            if call is not None:
                return Hit(call, "exact")
        if candidates:
            entry = self._turns.take(candidates, scope, backend, lambda group: self._best_of(group, scope))
            if entry is None:
                return Miss(canonical, used=len(lent(candidates, scope, backend)))
            same = entry.call.scope == scope and entry.call.request == request
            return Hit(entry.call, "exact" if same and not entry.call.stale else "canonical")
        return self._find_folded(canonical, scope, backend)

    def _find_folded(self, canonical: JSONObject, scope: str, backend: str) -> Hit | Miss:
        candidates = self._volatile.find(canonical)
        if not candidates:
            return Miss(canonical)

        def rank(entry: Entry) -> tuple[bool, bool, bool, int, int, str]:
            return self._rank(entry, scope, needed(canonical, entry.canonical, self._rules)[1])

        turn = self._turns.take(candidates, scope, backend, lambda group: min(group, key=rank))
        if turn is None:
            return Miss(canonical, used=len(lent(candidates, scope, backend)))
        return Hit(turn.call, "canonical", needed(canonical, turn.canonical, self._rules)[0])

    def _add_alternative(self, entry: Entry) -> None:
        call = entry.call
        self._by_hash[call.hash_name.removesuffix(".json")] = call
        self._tracks.add(call)
        try:
            address = urlsplit(call.address.url)
        except ValueError:
            return
        place = (call.address.method, address.path, "bedrock" in address.netloc)
        self._addresses[call.scope].setdefault(place, call.address.url)

    def _exact(self, request: JSONObject, scope: str) -> RecordedCall | None:
        test_id = None if scope == DEFAULT_SCOPE else scope
        addresses = self._addresses.get(scope, {})
        for body in (request,) if request.get("stream") else (request, asked_as_stream(request)):
            for (method, _, _), url in addresses.items():
                call = self._by_hash.get(request_hash(method, url, body, test_id))
                if call is not None:
                    return call
        return None

    def _alternative(self, key: str, scope: str) -> RecordedCall | None:
        candidates = self._by_key.get(key)
        group = lent(candidates, scope, "") if candidates else ()
        return self._best_of(group, scope).call if group else None

    def _best_of(self, group: Sequence[Entry], scope: str) -> Entry:
        if len(group) == 1:
            return group[0]
        place = (group[0].key, scope)
        if place not in self._best:
            self._best[place] = min(group, key=lambda entry: self._rank(entry, scope, 0))
        return self._best[place]

    def _rank(self, entry: Entry, scope: str, foldings: int) -> tuple[bool, bool, bool, int, int, str]:
        """What makes an alternative better, the most important first; smaller is better."""
        ends, fresh, length = self._tracks.follow(entry.call, scope)
        return (not ends, not fresh, entry.call.stale, foldings, -length, entry.call.hash_name)


def _is_own(entry: Entry, scope: str) -> bool:
    return entry.call.scope == scope and not entry.call.named_by_hash
