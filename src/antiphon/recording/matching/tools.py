"""Finds the recorded result of a tool call: by tool, arguments and scope."""

from collections import defaultdict
from collections.abc import Sequence

from antiphon.recording.calls.canonical import canonical_arguments, canonical_key
from antiphon.recording.calls.endpoints import KINDS, canonical_body
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.chats import Hit, Miss
from antiphon.recording.matching.sequence import Entry, Turns, lent
from antiphon.settings.tools import SEARCH_PROVIDERS
from antiphon.wire.json import JSONObject

_SEARCH = "any search provider"
"""Stands in canonical calls for whoever answers web searches."""


class ToolIndex:
    """Recorded calls of tools and of endpoints in memory, under the same rules of scope and order as chats.

    llama-stack's files name its own provider of a tool (`tavily`), which is not ours: they answer for any.
    Who answers web searches is a matter of keys and not of the request: those are one provider here.
    """

    def __init__(self, *, repeat: bool) -> None:
        self._turns = Turns(repeat=repeat)
        self._by_key: defaultdict[str, list[Entry]] = defaultdict(list)

    @property
    def models(self) -> set[str]:
        """The models that answered endpoints."""
        named = (entry.canonical.get("model") for entry in self.entries)
        return {model for model in named if isinstance(model, str)}

    @property
    def entries(self) -> list[Entry]:
        """All of them."""
        return [entry for entries in self._by_key.values() for entry in entries]

    def add(self, call: RecordedCall) -> Entry:
        """Takes a recorded call in, after those of its scope; raises RecursionError for a monstrous one."""
        if call.kind == "tool":
            provider = "" if call.named_by_hash else call.address.provider
            canonical = canonical_call(provider, call.address.tool_name, call.request)
        else:
            canonical = canonical_body(call.kind, call.request)
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
        """Returns what answers a tool call, or one of an endpoint, and takes its turn.

        Raises RecursionError for a monstrous one.
        """
        forms = _forms(provider, name, arguments)
        for canonical, backend in forms:
            candidates = self._by_key.get(canonical_key(canonical))
            if candidates:
                entry = self._turns.take(candidates, scope, backend, _best)
                if entry is None:
                    return Miss(canonical, used=len(lent(candidates, scope, backend)))
                same = _arguments(entry.call) == arguments and not entry.call.stale
                return Hit(entry.call, "exact" if same else "canonical")
        return Miss(self._likeliest([canonical for canonical, _ in forms]))

    def _likeliest(self, forms: Sequence[JSONObject]) -> JSONObject:
        """Returns the form that names a recorded model, if any does."""
        models = self.models
        return next((form for form in forms if form.get("model") in models), forms[0])


def canonical_call(provider: str, name: str, arguments: JSONObject) -> JSONObject:
    """Returns the canonical form of a tool call: arguments by value, whatever the order of their keys."""
    searches = name == "web_search" and provider in SEARCH_PROVIDERS
    return {
        "provider": _SEARCH if searches else provider,
        "tool": name,
        "arguments": canonical_arguments(arguments),
    }


def _forms(provider: str, name: str, arguments: JSONObject) -> list[tuple[JSONObject, str]]:
    """Returns the canonical forms under which a call may be recorded, each with the backend that it names."""
    kind = KINDS.get(provider)
    if kind is None:
        return [(canonical_call(each, name, arguments), "") for each in (provider, "")]
    backend, _, model = name.partition("/")
    named = [(canonical_body(kind, {**arguments, "model": name}), "")]
    if model:
        named.append((canonical_body(kind, {**arguments, "model": model}), backend))
    # At first endpoints were recorded as tools.
    return [*named, (canonical_call(provider.removeprefix("/v1/"), name, arguments), "")]


def _arguments(call: RecordedCall) -> JSONObject:
    if call.kind == "tool":
        return call.request
    return {name: value for name, value in call.request.items() if name != "model"}


def _best(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=lambda entry: (entry.call.stale, entry.call.name))
