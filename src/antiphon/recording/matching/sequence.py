"""Which of several recordings of the same call answers next."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSONObject


@dataclass(frozen=True, eq=False)
class Entry:
    """A recorded call in memory, with the canonical form of its request and the key of that."""

    call: RecordedCall
    canonical: JSONObject
    key: str


Best = Callable[[Sequence[Entry]], Entry]
"""Chooses among alternatives."""


class Turns:
    """Remembers per scope which recordings have answered.

    Our own recordings of a call are a sequence: each answers once, in recorded order. llama-stack's are
    alternatives, of which the best always answers. Those of the asked scope come first; without any, one
    other scope lends all of its own. Nothing here waits, so two callers never get the same turn.
    """

    def __init__(self, *, repeat: bool) -> None:
        self._repeat = repeat
        self._used: defaultdict[str, set[Entry]] = defaultdict(set)

    def take(self, candidates: Sequence[Entry], scope: str, backend: str, best: Best) -> Entry | None:
        """Returns the recording whose turn it is, or None when all have answered."""
        chosen = lent(candidates, scope, backend)
        if chosen[0].call.named_by_hash:
            return best(chosen)
        used = self._used[scope]
        for entry in chosen:
            if entry not in used:
                used.add(entry)
                return entry
        return chosen[-1] if self._repeat else None

    def mark(self, entry: Entry) -> None:
        """Says that a recording has had its turn in its scope: its call was just made."""
        self._used[entry.call.scope].add(entry)

    def restart(self, scope: str) -> None:
        """Begins the scope anew."""
        self._used.pop(scope, None)


def lent(candidates: Sequence[Entry], scope: str, backend: str) -> Sequence[Entry]:
    """Returns the candidates that may answer: those of one scope, and of a sequence those of the backend.

    Two backends may have a model of the same name. Where one goes by another name than it did, or none is
    recorded, what any of them said will do.
    """
    chosen = _lent(candidates, scope)
    if chosen[0].call.named_by_hash:
        return chosen
    return [entry for entry in chosen if entry.call.backend == backend] or chosen


def _lent(candidates: Sequence[Entry], scope: str) -> Sequence[Entry]:
    """Returns the candidates of one scope and one kind: a sequence, or alternatives of one or all scopes."""
    own = [entry for entry in candidates if not entry.call.named_by_hash]
    others = [entry for entry in candidates if entry.call.named_by_hash]
    for group in (own, others):
        if same := [entry for entry in group if entry.call.scope == scope]:
            return same
    if own:
        lender = min((entry.call.scope for entry in own), key=lambda name: (name != DEFAULT_SCOPE, name))
        return [entry for entry in own if entry.call.scope == lender]
    return others
