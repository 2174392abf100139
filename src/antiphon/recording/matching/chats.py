"""Index of recorded chats by llama-stack's hash and by canonical key."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.canonical import canonical_key, canonical_request
from antiphon.recording.calls.exact_hash import as_streaming_request, request_hash
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.continuations import Continuations
from antiphon.recording.matching.sequence import MANY, Entry, Sequences, eligible, sampled
from antiphon.recording.matching.volatile import Rule, VolatileIndex, rules_needed
from antiphon.wire.json import JSONObject

_Rank = tuple[bool, int, bool, bool, int, int, str]


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
    failure: str | None = None
    """The error of a recorded web search that isn't replayed, because it failed."""


class ChatIndex:
    """Index of recorded chats.

    One search at a time, so that two requests never get the same recording of a sequence.
    """

    def __init__(self, rules: Sequence[Rule], *, repeat: bool) -> None:
        self._rules = rules
        self._sequences = Sequences(repeat=repeat)
        self._by_file: defaultdict[str, list[Entry]] = defaultdict(list)
        self._by_key: defaultdict[str, list[Entry]] = defaultdict(list)
        self._volatile = VolatileIndex(rules)
        self._clear_alternatives()

    def _clear_alternatives(self) -> None:
        self._continuations = Continuations(self._alternative)
        self._by_hash: dict[str, RecordedCall] = {}
        self._addresses: defaultdict[str, dict[tuple[str, str, bool], str]] = defaultdict(dict)
        self._best: dict[tuple[str, str, tuple[int, ...]], Entry] = {}

    @property
    def entries(self) -> list[Entry]:
        """All recorded chats."""
        return [entry for entries in self._by_file.values() for entry in entries]

    def add(self, call: RecordedCall) -> Entry:
        """Add a recorded chat after those of its scope.

        Raises:
            RecursionError: The request is nested too deeply.
        """
        entry = Entry(call, call.key)
        self._volatile.add(entry)
        self._by_file[call.file].append(entry)
        self._by_key[entry.key].append(entry)
        self._best.clear()
        if call.named_by_hash:
            self._add_alternative(entry)
        return entry

    def begin(self, scope: str) -> None:
        """Restart the sequences of a scope."""
        self._sequences.restart(scope)

    def restart(self, scope: str, file: str) -> None:
        """Remove the recordings of a file and restart the sequences of a scope."""
        self.begin(scope)
        removed = self._by_file.pop(file, [])
        self._volatile.remove(removed)
        for entry in removed:
            self._by_key[entry.key].remove(entry)
        if any(entry.call.named_by_hash for entry in removed):
            self._clear_alternatives()
            for entry in self.entries:
                if entry.call.named_by_hash:
                    self._add_alternative(entry)
        self._best.clear()

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
                candidates,
                scope,
                backend,
                lambda group: self._best_of(group, scope, request),
                lambda each: option_distance(request, each.call.request),
            )
            if entry is None:
                return Miss(canonical, used=len(eligible(candidates, scope, backend)))
            same = entry.call.scope == scope and entry.call.request == request
            return Hit(entry.call, "exact" if same and not entry.call.stale else "canonical")
        return self._find_normalized(request, canonical, scope, backend)

    def has_own(self, request: JSONObject, scope: str) -> bool:
        """Return whether recordings of our own format and of the scope answer a request.

        Other recordings don't matter then.

        Raises:
            RecursionError: The request is nested too deeply.
        """
        candidates = self._by_key.get(canonical_key(canonical_request(request)), ())
        return any(_is_own(entry, scope) for entry in candidates)

    def likely(self, canonical: JSONObject, scope: str) -> Sequence[Entry]:
        """Return the recordings that can be the nearest to a missed request.

        These are all of few recordings, and of many a sample: those with the same texts of people, those of
        the scope, and some of the others.
        """
        entries = self.entries
        if len(entries) <= MANY:
            return entries
        near = [*self._volatile.alike(canonical), *(entry for entry in entries if entry.call.scope == scope)]
        model = canonical.get("model")
        same_model = [entry for entry in entries if entry.call.model == model]
        return [*sampled(same_model or entries), *sampled(near)]

    def _find_normalized(
        self, request: JSONObject, canonical: JSONObject, scope: str, backend: str
    ) -> Hit | Miss:
        candidates = self._volatile.find(canonical)
        if not candidates:
            return Miss(canonical)

        def distance(entry: Entry) -> int:
            return option_distance(request, entry.call.request)

        def rank(entry: Entry) -> _Rank:
            needed = rules_needed(canonical, entry.canonical, self._rules)[1]
            return self._rank(entry, scope, distance(entry), needed)

        chosen = self._sequences.take(
            candidates, scope, backend, lambda group: min(group, key=rank), distance
        )
        if chosen is None:
            return Miss(canonical, used=len(eligible(candidates, scope, backend)))
        return Hit(chosen.call, "canonical", rules_needed(canonical, chosen.canonical, self._rules)[0])

    def _add_alternative(self, entry: Entry) -> None:
        call = entry.call
        self._by_hash[call.hash_name.removesuffix(".json")] = call
        self._continuations.add(call)
        try:
            address = urlsplit(call.hashed_url)
        except ValueError:
            return
        place = (call.address.method, address.path, "bedrock" in address.netloc)
        self._addresses[call.scope].setdefault(place, call.hashed_url)

    def _exact(self, request: JSONObject, scope: str) -> RecordedCall | None:
        test_id = None if scope == DEFAULT_SCOPE else scope
        addresses = self._addresses.get(scope, {})
        for body in (request,) if request.get("stream") else (request, as_streaming_request(request)):
            for (method, _, _), url in addresses.items():
                call = self._by_hash.get(request_hash(method, url, body, test_id))
                if call is not None:
                    return call
        return None

    def _alternative(self, key: str, scope: str, request: JSONObject) -> RecordedCall | None:
        candidates = self._by_key.get(key)
        group = eligible(candidates, scope, "") if candidates else ()
        return self._best_of(group, scope, request).call if group else None

    def _best_of(self, group: Sequence[Entry], scope: str, request: JSONObject) -> Entry:
        if len(group) == 1:
            return group[0]
        distances = tuple(option_distance(request, entry.call.request) for entry in group)
        place = (group[0].key, scope, distances)
        if place not in self._best:
            ranks = [
                self._rank(entry, scope, distance, 0)
                for entry, distance in zip(group, distances, strict=True)
            ]
            self._best[place] = group[ranks.index(min(ranks))]
        return self._best[place]

    def _rank(self, entry: Entry, scope: str, distance: int, normalized: int) -> _Rank:
        """Return the sort key of an alternative, smallest for the best.

        The run must reach its end first of all, because its next call would be a miss otherwise.

        Args:
            entry: The alternative.
            scope: The scope of the request.
            distance: The distance of the stream options.
            normalized: The number of texts that differ and are equal after normalization.
        """
        ends, fresh, length = self._continuations.reach(entry.call, scope)
        return (not ends, distance, not fresh, entry.call.stale, normalized, -length, entry.call.hash_name)


def option_distance(request: JSONObject, recorded: JSONObject) -> int:
    """Return 0 for equal stream options, 1 if only the usage is equal, and else 2.

    A request without `stream` expects the usage, like llama-stack's streams for such requests.
    """
    mine, theirs = _stream_options(request), _stream_options(recorded)
    if mine == theirs:
        return 0
    return 1 if mine.get("include_usage") == theirs.get("include_usage") else 2


def _stream_options(request: JSONObject) -> JSONObject:
    """Return the options that are not null, and `include_usage` as True or False."""
    if not request.get("stream"):
        request = as_streaming_request(request)
    options = request.get("stream_options")
    given = (
        {name: value for name, value in options.items() if value is not None}
        if isinstance(options, dict)
        else {}
    )
    return given | {"include_usage": given.get("include_usage") is True}


def _is_own(entry: Entry, scope: str) -> bool:
    return entry.call.scope == scope and not entry.call.named_by_hash
