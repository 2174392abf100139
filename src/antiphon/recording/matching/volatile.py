"""Rules that normalize volatile text.

Volatile text differs from run to run with the same meaning. The rules apply only if no recording answers a
request as it is. Each hit names the rules that it needed. The built-in rules apply to tool results and
messages of the model, never to text of a person or the application. The operator's own patterns apply
everywhere.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from antiphon.errors import ConfigError
from antiphon.recording.calls.canonical import canonical_key
from antiphon.recording.matching.sequence import Entry
from antiphon.wire.json import JSON, JSONObject

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_FILE_ID = r"file-[0-9a-f]{24,64}"
_OPAQUE = rf"(?:{_UUID}|file[-_][0-9A-Za-z]{{8,64}})"


@dataclass(frozen=True)
class Rule:
    """Rule that replaces the matches of a pattern."""

    name: str
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    quoted: bool = True
    """Whether the rule applies only to tool results and messages of the model."""
    sign: re.Pattern[str] = re.compile("")
    """Part of every match that is faster to search, because it starts with a fixed character."""

    def matches(self, text: str) -> list[str]:
        """Return the texts that the rule replaces."""
        return [] if self.sign.search(text) is None else [match[0] for match in self.pattern.finditer(text)]

    def normalize(self, text: str) -> str:
        """Return the text with all matches replaced."""
        return text if self.sign.search(text) is None else self.pattern.sub(self.replacement, text)


def _five_digits(number: re.Match[str]) -> str:
    return f"{float(number[0]):.5f}"


RULES = (
    Rule(
        "score",
        re.compile(r"score: *[-+]?\d{0,20}\.?\d{1,40}(?:[eE][-+]?\d{1,4})?"),
        "score: …",
        sign=re.compile("score:"),
    ),
    Rule(
        "attributes",
        re.compile(r",?[ \t\n]{0,8}attributes: *\{[^{}]*\}"),
        "",
        sign=re.compile("attributes:"),
    ),
    Rule(
        "document-id",
        re.compile(rf"document_id: *{_OPAQUE}"),
        "document_id: …",
        sign=re.compile("document_id:"),
    ),
    Rule("citation", re.compile(rf"<\|{_OPAQUE}\|>"), "<|…|>", sign=re.compile(r"<\|")),
    Rule("uuid", re.compile(_UUID), "…", sign=re.compile("-[0-9a-fA-F]{4}-")),
    Rule("file-id", re.compile(rf"\b{_FILE_ID}\b"), "…", sign=re.compile("file-")),
    Rule("long-decimal", re.compile(r"-?\d{1,40}\.\d{4,40}"), _five_digits, sign=re.compile(r"\.\d{4}")),
)
"""The built-in rules: llama-stack's, and ids that tools generate."""
_SIGN = re.compile("[-.:<]")
"""Characters of which every match of a built-in rule has one."""


def user_rules(patterns: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules of `NAME=REGEX` texts.

    Raises:
        ConfigError: A text has another form, or its expression is invalid.
    """
    return tuple(Rule(*named_pattern("volatile", pattern), "…", quoted=False) for pattern in patterns)


def named_pattern(setting: str, text: str) -> tuple[str, re.Pattern[str]]:
    """Return the name and the pattern of a `NAME=REGEX` text.

    Args:
        setting: The name of the setting, for error messages.
        text: One value of the setting.

    Raises:
        ConfigError: The text has another form, or its expression is invalid.
    """
    name, equals, expression = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not expression:
        raise ConfigError(
            f"{setting}: {text!r} isn't NAME=REGEX; use a form such as date=\\d{{4}}-\\d\\d-\\d\\d"
        )
    try:
        pattern = re.compile(expression)
    except (re.error, RecursionError) as error:
        raise ConfigError(f"{setting}: {name}: isn't a valid regular expression: {error}") from error
    if pattern.search("") is not None:
        raise ConfigError(f"{setting}: {name}: the pattern matches the empty string")
    return name, pattern


def is_quoted(message: JSON) -> bool:
    """Return whether a message is a tool result or a message of the model."""
    return isinstance(message, dict) and message.get("role") in ("tool", "assistant")


def normalized_key(canonical: JSONObject, rules: Sequence[Rule]) -> str:
    """Return the key of a canonical request after all rules, with a prefix."""
    return "volatile " + canonical_key(_normalized_request(canonical, rules))


def rules_needed(request: JSONObject, recorded: JSONObject, rules: Sequence[Rule]) -> tuple[list[str], int]:
    """Return the rules that make two requests with one normalized key equal.

    If several rules can normalize a difference, the first one is named.

    Returns:
        The names of the rules, and the number of texts that differ.
    """
    names: set[str] = set()
    differing = 0
    for mine, theirs in zip(_messages(request), _messages(recorded), strict=True):
        applicable = _applicable(rules, is_quoted(mine))
        for one, other in _differing(mine, theirs):
            differing += 1
            names.update(_needed_for(one, other, applicable))
    return [rule.name for rule in rules if rule.name in names], differing


def _differing(mine: JSON, theirs: JSON) -> Iterator[tuple[str, str]]:
    """Yield the pairs of differing texts in two values of the same structure."""
    if mine == theirs:
        return
    if isinstance(mine, str):
        yield mine, theirs
        return
    for place in mine if isinstance(mine, dict) else range(len(mine)):
        yield from _differing(mine[place], theirs[place])


def _needed_for(mine: str, theirs: str, rules: Sequence[Rule]) -> list[str]:
    names = []
    for rule in rules:
        if mine == theirs:
            break
        if rule.matches(mine) != rule.matches(theirs):
            names.append(rule.name)
            mine, theirs = rule.normalize(mine), rule.normalize(theirs)
    return names


def _normalized_request(canonical: JSONObject, rules: Sequence[Rule]) -> JSONObject:
    if not isinstance(canonical.get("messages"), list):
        return canonical
    normalized = []
    for message in _messages(canonical):
        applicable = _applicable(rules, is_quoted(message))
        normalized.append(_normalize(message, applicable) if applicable else message)
    return {**canonical, "messages": normalized}


def _messages(canonical: JSONObject) -> list[JSON]:
    messages = canonical.get("messages")
    return messages if isinstance(messages, list) else []


def _normalize(value: JSON, rules: Sequence[Rule]) -> JSON:
    if isinstance(value, str):
        return _normalize_text(value, rules)
    if isinstance(value, dict):
        return {name: _normalize(member, rules) for name, member in value.items()}
    if isinstance(value, list):
        return [_normalize(member, rules) for member in value]
    return value


def _normalize_text(text: str, rules: Sequence[Rule]) -> str:
    has_sign = _SIGN.search(text) is not None
    for rule in rules:
        if has_sign or not rule.quoted:
            text = rule.normalize(text)
    return text


def _applicable(rules: Sequence[Rule], quoted: bool) -> Sequence[Rule]:
    return rules if quoted else [rule for rule in rules if not rule.quoted]


_Outline = bytes
"""Digest of the part of a request that built-in rules don't change: the model and the unquoted texts."""


class VolatileIndex:
    """Recorded chats by their key after volatile text is normalized."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        # The operator's own rules can change every message; then the outline has only their number.
        self._coarse = any(not rule.quoted for rule in rules)
        self._outlined: defaultdict[_Outline, list[Entry]] = defaultdict(list)
        self._outlines: dict[Entry, _Outline] = {}
        self._normalized: dict[_Outline, dict[str, list[Entry]]] = {}

    def add(self, entry: Entry) -> None:
        """Add a recorded chat after the others."""
        outline = self._outlines[entry] = self._outline(entry.canonical)
        self._outlined[outline].append(entry)
        if (normalized := self._normalized.get(outline)) is not None:
            normalized.setdefault(normalized_key(entry.canonical, self._rules), []).append(entry)

    def remove(self, entries: Iterable[Entry]) -> None:
        """Remove recorded chats."""
        for entry in entries:
            outline = self._outlines.pop(entry)
            self._outlined[outline].remove(entry)
            self._normalized.pop(outline, None)

    def alike(self, canonical: JSONObject) -> Sequence[Entry]:
        """Return the recordings that differ from a request in quoted texts and parameters alone."""
        return self._outlined.get(self._outline(canonical), ())

    def find(self, canonical: JSONObject) -> Sequence[Entry]:
        """Return the recordings that differ from a request in volatile text alone."""
        outline = self._outline(canonical)
        if outline not in self._outlined:
            return ()
        if outline not in self._normalized:
            normalized: dict[str, list[Entry]] = {}
            for entry in self._outlined[outline]:
                normalized.setdefault(normalized_key(entry.canonical, self._rules), []).append(entry)
            self._normalized[outline] = normalized
        return self._normalized[outline].get(normalized_key(canonical, self._rules), ())

    def _outline(self, canonical: JSONObject) -> _Outline:
        messages = canonical.get("messages")
        messages = messages if isinstance(messages, list) else []
        written: list[JSON] = [str(canonical.get("model")), len(messages)]
        for message in [] if self._coarse else messages:
            if isinstance(message, dict) and not is_quoted(message):
                content = message.get("content")
                written.append(content if isinstance(content, str) else None)
        return hashlib.blake2b(msgspec.json.encode(written), digest_size=16).digest()
