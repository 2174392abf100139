"""Finds the recorded result of a tool call: by tool, arguments and scope."""

from collections import defaultdict
from collections.abc import Sequence

from antiphon.config_tools import SEARCH_PROVIDERS
from antiphon.recording.calls import RecordedCall
from antiphon.recording.canonical import canonical_arguments, canonical_key
from antiphon.recording.index import Hit, Miss
from antiphon.recording.turns import Entry, Turns, lent
from antiphon.wire.json import JSONObject

_SEARCH = "any search provider"
"""Stands in canonical calls for whoever answers web searches."""


class ToolIndex:
    """Recorded tool calls in memory, under the same rules of scope and order as chats.

    llama-stack's files name its own provider of a tool (`tavily`), which is not ours: they answer for any.
    Who answers web searches is a matter of keys and not of the request: those are one provider here.
    """

    def __init__(self, *, repeat: bool) -> None:
        self._turns = Turns(repeat=repeat)
        self._by_key: defaultdict[str, list[Entry]] = defaultdict(list)

    @property
    def entries(self) -> list[Entry]:
        """All recorded tool calls."""
        return [entry for entries in self._by_key.values() for entry in entries]

    def add(self, call: RecordedCall) -> Entry:
        """Takes a recorded tool call in, after those of its scope."""
        provider = "" if call.named_by_hash else call.address.provider
        canonical = canonical_call(provider, call.address.tool_name, call.request)
        entry = Entry(call, canonical, canonical_key(canonical))
        self._by_key[entry.key].append(entry)
        return entry

    def begin(self, scope: str) -> None:
        """Begins a scope anew: the first of its recordings is the next."""
        self._turns.restart(scope)

    def restart(self, scope: str, file: str) -> None:
        """Forgets what stands in the file of a scope, and begins the scope anew."""
        self.begin(scope)
        for key, entries in self._by_key.items():
            self._by_key[key] = [entry for entry in entries if entry.call.file != file]

    def mark(self, entry: Entry) -> None:
        """Says that a recording has had its turn: its call was just made."""
        self._turns.mark(entry)

    def find(self, provider: str, name: str, arguments: JSONObject, scope: str) -> Hit | Miss:
        """Returns what answers a tool call, and takes its turn."""
        canonical = canonical_call(provider, name, arguments)
        for asked in (canonical, canonical_call("", name, arguments)):
            candidates = self._by_key.get(canonical_key(asked))
            if candidates:
                entry = self._turns.take(candidates, scope, _best)
                if entry is None:
                    return Miss(canonical, used=len(lent(candidates, scope)))
                same = entry.call.request == arguments and not entry.call.stale
                return Hit(entry.call, "exact" if same else "canonical")
        return Miss(canonical)


def canonical_call(provider: str, name: str, arguments: JSONObject) -> JSONObject:
    """Returns the canonical form of a tool call: arguments by value, whatever the order of their keys."""
    searches = name == "web_search" and provider in SEARCH_PROVIDERS
    return {
        "provider": _SEARCH if searches else provider,
        "tool": name,
        "arguments": canonical_arguments(arguments),
    }


def _best(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=lambda entry: (entry.call.stale, entry.call.name))
