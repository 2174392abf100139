"""Index of recorded tool calls, by tool, arguments and scope."""

from collections import defaultdict
from collections.abc import Sequence

from antiphon.recording.calls.canonical import canonical_arguments, canonical_key
from antiphon.recording.calls.endpoints import KINDS, PATHS, canonical_body
from antiphon.recording.calls.errors import INJECTED, exception_of
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.chats import Hit, Miss
from antiphon.recording.matching.sequence import Entry, Sequences, eligible, sampled
from antiphon.tools.web_search.providers import is_search_provider
from antiphon.wire.json import JSONObject

_SEARCH = "any search provider"
"""Provider of all web searches in canonical calls."""


class ToolEntry(Entry):
    """A recorded call of a tool or an endpoint in an index, with its key."""

    __slots__ = ()

    @property
    def canonical(self) -> JSONObject:
        """The canonical call."""
        return _canonical(self.call)


class ToolIndex:
    """Index of recorded calls of tools and endpoints.

    Scopes and sequences are those of chats. llama-stack's files answer for every provider, because they name
    llama-stack's own. Web searches have one provider here, because the actual one depends on the server's API
    keys rather than on the request.
    """

    def __init__(self, *, repeat: bool, replay_failures: bool = False) -> None:
        self._replay_failures = replay_failures
        self._sequences = Sequences(repeat=repeat)
        self._by_key: defaultdict[str, list[ToolEntry]] = defaultdict(list)

    @property
    def entries(self) -> list[ToolEntry]:
        """All recorded calls."""
        return [entry for entries in self._by_key.values() for entry in entries]

    def add(self, call: RecordedCall) -> Entry:
        """Add a recorded call after those of its scope.

        Raises:
            RecursionError: The request is nested too deeply.
        """
        entry = ToolEntry(call, canonical_key(_canonical(call)))
        self._by_key[entry.key].append(entry)
        return entry

    def begin(self, scope: str) -> None:
        """Restart the sequences of a scope."""
        self._sequences.restart(scope)

    def restart(self, scope: str, file: str) -> None:
        """Remove the recordings of a file and restart the sequences of a scope."""
        self.begin(scope)
        for key, entries in self._by_key.items():
            self._by_key[key] = [entry for entry in entries if entry.call.file != file]

    def mark_used(self, entry: Entry) -> None:
        """Mark a recording as used, because its call was just made."""
        self._sequences.mark_used(entry)

    def find(self, provider: str, name: str, arguments: JSONObject, scope: str) -> Hit | Miss:
        """Return the recording that answers a call, and mark it as used.

        Raises:
            RecursionError: The arguments are nested too deeply.
        """
        forms = _forms(provider, name, arguments)
        for canonical, backend in forms:
            recorded = self._by_key.get(canonical_key(canonical), ())
            candidates = [entry for entry in recorded if self._answers(entry.call)]
            if not candidates and recorded:
                return Miss(canonical, failure=_error_of(recorded[-1].call))
            if candidates:
                entry = self._sequences.take(candidates, scope, backend, _best)
                if entry is None:
                    return Miss(canonical, used=len(eligible(candidates, scope, backend)))
                same = _arguments(entry.call) == arguments and not entry.call.stale
                return Hit(entry.call, "exact" if same else "canonical")
        return Miss(self._most_likely([canonical for canonical, _ in forms]))

    def has_own(self, provider: str, name: str, arguments: JSONObject, scope: str) -> bool:
        """Return whether a recording of our own format and of the scope answers a call.

        Other recordings don't matter then.

        Raises:
            RecursionError: The arguments are nested too deeply.
        """
        canonical, _ = _forms(provider, name, arguments)[0]
        candidates = self._by_key.get(canonical_key(canonical), ())
        own = [each.call for each in candidates if each.call.scope == scope and not each.call.named_by_hash]
        return any(map(self._answers, own))

    def _answers(self, call: RecordedCall) -> bool:
        return self._replay_failures or not has_failed_search(call)

    def alike(self, canonical: JSONObject) -> list[tuple[RecordedCall, JSONObject]]:
        """Return the recorded calls of the same kind as a missed one.

        These are the calls of the same endpoint, or of the same tool, or else of the same provider. Each has
        its canonical form, with the provider of the missed call if the provider doesn't count.
        """
        for member in ("endpoint",) if "endpoint" in canonical else ("tool", "provider"):
            same = [entry for entry in self.entries if _target(entry.call).get(member) == canonical[member]]
            if same:
                chosen = sampled(same)
                return [(entry.call, _of_provider(entry.canonical, canonical)) for entry in chosen]
        return []

    def _most_likely(self, forms: Sequence[JSONObject]) -> JSONObject:
        """Return the first form with a recorded model, else the first form."""
        models = {entry.call.model for entry in self.entries if entry.call.kind != "tool"} - {None}
        return next((form for form in forms if form.get("model") in models), forms[0])


def is_web_search(provider: str, name: str) -> bool:
    """Return whether a call is a search of the hosted tool, and not of an MCP server."""
    return name == "web_search" and is_search_provider(provider)


def _canonical(call: RecordedCall) -> JSONObject:
    if call.kind != "tool":
        return canonical_body(call.kind, call.request)
    return canonical_call(_provider(call), call.address.tool_name, call.request)


def _target(call: RecordedCall) -> JSONObject:
    """Return the part of the canonical call that says where it goes, without reading the call."""
    if call.kind != "tool":
        return {"endpoint": PATHS[call.kind]}
    target = canonical_call(_provider(call), call.address.tool_name, {})
    return {"provider": target["provider"], "tool": target["tool"]}


def _provider(call: RecordedCall) -> str:
    return "" if call.named_by_hash else call.address.provider


def has_failed_search(call: RecordedCall) -> bool:
    """Return whether a call is a web search that failed by itself, and not by an injected fault."""
    if call.kind != "tool" or not is_web_search(call.address.provider, call.address.tool_name):
        return False
    return call.error is not None and not call.error.message.startswith(INJECTED)


def canonical_call(provider: str, name: str, arguments: JSONObject) -> JSONObject:
    """Return the canonical form of a tool call; it ignores the order of keys."""
    return {
        "provider": _SEARCH if is_web_search(provider, name) else provider,
        "tool": name,
        "arguments": canonical_arguments(arguments),
    }


def _forms(provider: str, name: str, arguments: JSONObject) -> list[tuple[JSONObject, str]]:
    """Return the canonical forms of recordings of a call, each with its backend."""
    kind = KINDS.get(provider)
    if kind is None:
        forms = [canonical_call(each, name, arguments) for each in (provider, "")]
        if is_web_search(provider, name) and "context_size" in arguments:
            # llama-stack ignores the context size, so its recordings have the query alone.
            query = {member: value for member, value in arguments.items() if member != "context_size"}
            forms.append(canonical_call("", name, query))
        return [(form, "") for form in forms]
    backend, _, model = name.partition("/")
    named = [(canonical_body(kind, {**arguments, "model": name}), "")]
    if model:
        named.append((canonical_body(kind, {**arguments, "model": model}), backend))
    # Early recordings hold calls of endpoints as calls of tools.
    return [*named, (canonical_call(provider.removeprefix("/v1/"), name, arguments), "")]


def _of_provider(recorded: JSONObject, missed: JSONObject) -> JSONObject:
    """Return a recorded call with the provider of a missed one, if it answers for any."""
    return recorded | {"provider": missed.get("provider")} if recorded.get("provider") == "" else recorded


def _error_of(call: RecordedCall) -> str | None:
    return None if call.error is None else exception_of(call.error).message


def _arguments(call: RecordedCall) -> JSONObject:
    if call.kind == "tool":
        return call.request
    return {name: value for name, value in call.request.items() if name != "model"}


def _best(entries: Sequence[Entry]) -> Entry:
    return min(entries, key=lambda entry: (entry.call.stale, entry.call.name))
