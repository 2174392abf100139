"""Finds recordings by their folded keys, which take longer to make than all else about a recording.

So recordings are first told apart by their outline: what no built-in rule touches. Folded is what shares its
outline with a request, when the request comes.
"""

from collections import defaultdict
from collections.abc import Sequence

from antiphon.recording.turns import Entry
from antiphon.recording.volatile import Rule, folded_key, is_quoted
from antiphon.wire.json import JSON, JSONObject

_Outline = tuple[JSON, ...]
"""Values that can be hashed: the model, and of each message what a person or the application wrote."""


class VolatileIndex:
    """Recorded chats by what is left of them when volatile text is folded."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        # An operator's own rules change any message; then only their number is sure.
        self._coarse = any(not rule.quoted for rule in rules)
        self._outlined: defaultdict[_Outline, list[Entry]] = defaultdict(list)
        self._folded: dict[_Outline, dict[str, list[Entry]]] = {}

    def add(self, entry: Entry) -> None:
        """Takes a recorded chat in, after those that are there."""
        outline = self._outline(entry.canonical)
        self._outlined[outline].append(entry)
        if (folded := self._folded.get(outline)) is not None:
            folded.setdefault(folded_key(entry.canonical, self._rules), []).append(entry)

    def find(self, canonical: JSONObject) -> Sequence[Entry]:
        """Returns the recordings that are the same as a canonical request, but for volatile text."""
        outline = self._outline(canonical)
        if outline not in self._outlined:
            return ()
        if outline not in self._folded:
            folded: dict[str, list[Entry]] = {}
            for entry in self._outlined[outline]:
                folded.setdefault(folded_key(entry.canonical, self._rules), []).append(entry)
            self._folded[outline] = folded
        return self._folded[outline].get(folded_key(canonical, self._rules), ())

    def _outline(self, canonical: JSONObject) -> _Outline:
        messages = canonical.get("messages")
        messages = messages if isinstance(messages, list) else []
        written: list[JSON] = [str(canonical.get("model")), len(messages)]
        for message in [] if self._coarse else messages:
            if isinstance(message, dict) and not is_quoted(message):
                content = message.get("content")
                written.append(content if isinstance(content, str) else None)
        return tuple(written)
