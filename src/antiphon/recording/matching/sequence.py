"""Sequences of recordings of the same call, and the choice of the next one."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSONObject


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """A recorded chat in an index, with its key."""

    call: RecordedCall
    key: str

    @property
    def canonical(self) -> JSONObject:
        """The canonical request."""
        return self.call.canonical


E = TypeVar("E", bound=Entry)
MANY = 2000
"""Recordings that are compared with a missed call at most, apart from likely ones."""
Best = Callable[[Sequence[Entry]], Entry]
"""Choice among alternatives."""

Distance = Callable[[Entry], int]
"""How far a recording is from the request, in parts that its key ignores; 0 if they are equal."""


def no_distance(_entry: Entry) -> int:
    """Return 0, for calls whose key ignores nothing."""
    return 0


def sampled(entries: Sequence[E]) -> Sequence[E]:
    """Return few entries as they are, and of many those of some files: others would have to be read.

    The files are distributed evenly, so that the sample has recordings of all ages.
    """
    if len(entries) <= MANY:
        return entries
    files: defaultdict[str, list[E]] = defaultdict(list)
    for entry in entries:
        files[entry.call.file].append(entry)
    groups = list(files.values())
    count = max(1, len(groups) * MANY // len(entries))
    return [entry for place in range(count) for entry in groups[place * len(groups) // count]][:MANY]


class Sequences:
    """The recordings that have answered, per scope.

    Our own recordings of a call are a sequence: each one answers once, the nearest first, and of equally near
    ones in recorded order. llama-stack's are alternatives: the best one answers every time. Recordings of the
    requested scope have priority; without them, those of one other scope answer. No method awaits, so two
    requests never get the same recording of a sequence.
    """

    def __init__(self, *, repeat: bool) -> None:
        """Create the sequences; with `repeat` the last recording answers again."""
        self._repeat = repeat
        self._used: defaultdict[str, set[Entry]] = defaultdict(set)

    def take(
        self,
        candidates: Sequence[Entry],
        scope: str,
        backend: str,
        best: Best,
        distance: Distance = no_distance,
    ) -> Entry | None:
        """Return the next recording and mark it as used; None if all are used."""
        chosen = eligible(candidates, scope, backend)
        if chosen[0].call.named_by_hash:
            return best(chosen)
        used = self._used[scope]
        if unused := [entry for entry in chosen if entry not in used]:
            entry = min(unused, key=distance)
            used.add(entry)
            return entry
        return min(reversed(chosen), key=distance) if self._repeat else None

    def mark_used(self, entry: Entry) -> None:
        """Mark a recording as used in its own scope, because its call was just made."""
        self._used[entry.call.scope].add(entry)

    def restart(self, scope: str) -> None:
        """Restart the sequences of a scope."""
        self._used.pop(scope, None)


def eligible(candidates: Sequence[Entry], scope: str, backend: str) -> Sequence[Entry]:
    """Return the candidates of one scope that can answer, preferably of `backend`.

    Two backends can have a model of the same name. If no candidate of a sequence has the name of the backend
    (it was renamed, or not recorded), the recordings of all backends can answer.
    """
    chosen = _of_one_scope(candidates, scope)
    if chosen[0].call.named_by_hash:
        return chosen
    return [entry for entry in chosen if entry.call.backend == backend] or chosen


def _of_one_scope(candidates: Sequence[Entry], scope: str) -> Sequence[Entry]:
    """Return a sequence of one scope, or alternatives of one scope or of all scopes."""
    own = [entry for entry in candidates if not entry.call.named_by_hash]
    others = [entry for entry in candidates if entry.call.named_by_hash]
    for group in (own, others):
        if same := [entry for entry in group if entry.call.scope == scope]:
            return same
    if own:
        other = min((entry.call.scope for entry in own), key=lambda name: (name != DEFAULT_SCOPE, name))
        return [entry for entry in own if entry.call.scope == other]
    return others
