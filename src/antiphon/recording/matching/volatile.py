"""Text that differs from run to run without a different meaning, folded by named rules.

The rules are tried only when nothing answers a request as it is, and each hit names those that it needed.
The built-in ones look at what tools returned and at what the model said of it, never at what a person or the
application wrote; an operator's own patterns hold everywhere.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from antiphon.errors import ConfigError
from antiphon.recording.calls.canonical import canonical_key
from antiphon.recording.matching.sequence import Entry
from antiphon.wire.json import JSON, JSONObject

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_FILE_ID = r"file-[0-9a-f]{24,64}"
_OPAQUE = rf"(?:{_UUID}|file[-_][0-9A-Za-z]{{8,64}})"


@dataclass(frozen=True)
class Rule:
    """Replaces what `pattern` finds. `quoted` rules look only at tool results and the model's words.

    Every find holds a `sign`, which is quicker to look for, as it begins with a character of its own.
    """

    name: str
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    quoted: bool = True
    sign: re.Pattern[str] = re.compile("")

    def finds(self, text: str) -> list[str]:
        """Returns what the rule would replace."""
        return [] if self.sign.search(text) is None else [match[0] for match in self.pattern.finditer(text)]

    def fold(self, text: str) -> str:
        """Returns the text with everything that the rule finds replaced."""
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
"""The built-in rules: llama-stack's own, and ids that a tool makes up."""
_SIGN = re.compile("[-.:<]")
"""Characters of which each find of a built-in rule has one."""


def user_rules(patterns: Sequence[str]) -> tuple[Rule, ...]:
    """Returns the rules that `NAME=REGEX` texts define; raises `ConfigError` for one that is wrong."""
    return tuple(Rule(*named_pattern("volatile", pattern), "…", quoted=False) for pattern in patterns)


def named_pattern(setting: str, text: str) -> tuple[str, re.Pattern[str]]:
    """Reads `NAME=REGEX` from a setting; raises `ConfigError` for another form or a wrong expression."""
    name, equals, expression = text.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_-]+", name) or not expression:
        raise ConfigError(f"{setting}: {text!r} is not NAME=REGEX, such as date=\\d{{4}}-\\d\\d-\\d\\d")
    try:
        pattern = re.compile(expression)
    except (re.error, RecursionError) as error:
        raise ConfigError(f"{setting}: {name}: not a regular expression: {error}") from error
    if pattern.search("") is not None:
        raise ConfigError(f"{setting}: {name}: the pattern fits an empty text, and so every place")
    return name, pattern


def is_quoted(message: JSON) -> bool:
    """Tells whether a message is a tool's result or the model's words."""
    return isinstance(message, dict) and message.get("role") in ("tool", "assistant")


def folded_key(canonical: JSONObject, rules: Sequence[Rule]) -> str:
    """Returns the key of a canonical request after all rules; it never equals one without them."""
    return "volatile " + canonical_key(_folded(canonical, rules))


def needed(asked: JSONObject, recorded: JSONObject, rules: Sequence[Rule]) -> tuple[list[str], int]:
    """Returns the names of the rules that two requests of one folded key need, and in how many texts.

    Where several rules could fold a difference, it is the first of them.
    """
    names: set[str] = set()
    differing = 0
    for mine, theirs in zip(_messages(asked), _messages(recorded), strict=True):
        applicable = _applicable(rules, is_quoted(mine))
        for one, other in _differing(mine, theirs):
            differing += 1
            names.update(_needed_for(one, other, applicable))
    return [rule.name for rule in rules if rule.name in names], differing


def _differing(mine: JSON, theirs: JSON) -> Iterator[tuple[str, str]]:
    """Yields the texts in which two values of the same structure differ."""
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
        if rule.finds(mine) != rule.finds(theirs):
            names.append(rule.name)
            mine, theirs = rule.fold(mine), rule.fold(theirs)
    return names


def _folded(canonical: JSONObject, rules: Sequence[Rule]) -> JSONObject:
    if not isinstance(canonical.get("messages"), list):
        return canonical
    folded = []
    for message in _messages(canonical):
        applicable = _applicable(rules, is_quoted(message))
        folded.append(_fold(message, applicable) if applicable else message)
    return {**canonical, "messages": folded}


def _messages(canonical: JSONObject) -> list[JSON]:
    messages = canonical.get("messages")
    return messages if isinstance(messages, list) else []


def _fold(value: JSON, rules: Sequence[Rule]) -> JSON:
    if isinstance(value, str):
        return _fold_text(value, rules)
    if isinstance(value, dict):
        return {name: _fold(member, rules) for name, member in value.items()}
    if isinstance(value, list):
        return [_fold(member, rules) for member in value]
    return value


def _fold_text(text: str, rules: Sequence[Rule]) -> str:
    may_be = _SIGN.search(text) is not None
    for rule in rules:
        if may_be or not rule.quoted:
            text = rule.fold(text)
    return text


def _applicable(rules: Sequence[Rule], quoted: bool) -> Sequence[Rule]:
    return rules if quoted else [rule for rule in rules if not rule.quoted]


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
