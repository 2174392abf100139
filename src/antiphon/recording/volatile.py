"""Text that differs from run to run without a different meaning, folded by named rules.

The rules are tried only when nothing answers a request as it is, and each hit names those that it needed.
The built-in ones look at what tools returned and at what the model said of it, never at what a person or the
application wrote; an operator's own patterns hold everywhere.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from antiphon.errors import ConfigError
from antiphon.recording.canonical import canonical_key
from antiphon.wire.json import JSON, JSONObject

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_OPAQUE = rf"(?:{_UUID}|file[-_][0-9A-Za-z]{{8,64}})"


@dataclass(frozen=True)
class Rule:
    """Replaces what `pattern` finds. `quoted` rules look only at tool results and the model's words.

    Every find holds the text `sign`, which is quicker to look for.
    """

    name: str
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]
    quoted: bool = True
    sign: str = ""

    def fold(self, text: str) -> str:
        """Returns the text with everything that the rule finds replaced."""
        return self.pattern.sub(self.replacement, text) if self.sign in text else text


def _five_digits(number: re.Match[str]) -> str:
    return f"{float(number[0]):.5f}"


RULES = (
    Rule(
        "score",
        re.compile(r"score: *[-+]?\d{0,20}\.?\d{1,40}(?:[eE][-+]?\d{1,4})?"),
        "score: …",
        sign="score:",
    ),
    Rule("attributes", re.compile(r",?[ \t\n]{0,8}attributes: *\{[^{}]*\}"), "", sign="attributes:"),
    Rule("document-id", re.compile(rf"document_id: *{_OPAQUE}"), "document_id: …", sign="document_id:"),
    Rule("citation", re.compile(rf"<\|{_OPAQUE}\|>"), "<|…|>", sign="<|"),
    Rule("uuid", re.compile(_UUID), "…", sign="-"),
    Rule("long-decimal", re.compile(r"-?\d{1,40}\.\d{4,40}"), _five_digits, sign="."),
)
"""The built-in rules: llama-stack's own, and ids that a tool makes up."""


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


def folded_key(canonical: JSONObject, rules: Sequence[Rule]) -> str:
    """Returns the key of a canonical request after all rules; it never equals one without them."""
    return "volatile " + canonical_key(_folded(canonical, rules))


def needed(asked: JSONObject, recorded: JSONObject, rules: Sequence[Rule]) -> tuple[list[str], int]:
    """Returns the names of the rules that two canonical requests need to be the same, and in how many texts.

    Where two rules fold the same difference, both are named.
    """
    names: set[str] = set()
    differing = 0
    for (mine, quoted), (theirs, _) in zip(_texts(asked), _texts(recorded), strict=True):
        if mine != theirs:
            differing += 1
            names.update(_needed_for(mine, theirs, _applicable(rules, quoted)))
    return [rule.name for rule in rules if rule.name in names], differing


def _needed_for(mine: str, theirs: str, rules: Sequence[Rule]) -> list[str]:
    def same_with(those: Sequence[Rule]) -> bool:
        return _fold_text(mine, those) == _fold_text(theirs, those)

    alone = [rule for rule in rules if not same_with([other for other in rules if other is not rule])]
    if not same_with(alone):
        # Where two rules fold the same difference, neither can be missed alone.
        completing = [rule for rule in rules if same_with([r for r in rules if r in alone or r is rule])]
        alone = [rule for rule in rules if rule in alone or rule in completing]
    return [rule.name for rule in alone]


def _folded(canonical: JSONObject, rules: Sequence[Rule]) -> JSONObject:
    messages = canonical.get("messages")
    if not isinstance(messages, list):
        return canonical
    return {**canonical, "messages": [_fold(message, rules, _is_quoted(message)) for message in messages]}


def _is_quoted(message: JSON) -> bool:
    return isinstance(message, dict) and message.get("role") in ("tool", "assistant")


def _fold(value: JSON, rules: Sequence[Rule], quoted: bool) -> JSON:
    if isinstance(value, dict):
        return {name: _fold(member, rules, quoted) for name, member in value.items()}
    if isinstance(value, list):
        return [_fold(member, rules, quoted) for member in value]
    return _fold_text(value, _applicable(rules, quoted)) if isinstance(value, str) else value


def _fold_text(text: str, rules: Sequence[Rule]) -> str:
    for rule in rules:
        text = rule.fold(text)
    return text


def _applicable(rules: Sequence[Rule], quoted: bool) -> Sequence[Rule]:
    return rules if quoted else [rule for rule in rules if not rule.quoted]


def _texts(canonical: JSONObject) -> list[tuple[str, bool]]:
    """Every text of the messages in the order of sorted keys: as many in all requests of one folded key."""
    messages = canonical.get("messages")
    found: list[tuple[str, bool]] = []
    for message in messages if isinstance(messages, list) else []:
        _collect(message, _is_quoted(message), found)
    return found


def _collect(value: JSON, quoted: bool, found: list[tuple[str, bool]]) -> None:
    if isinstance(value, dict):
        for name in sorted(value):
            _collect(value[name], quoted, found)
    elif isinstance(value, list):
        for member in value:
            _collect(member, quoted, found)
    elif isinstance(value, str):
        found.append((value, quoted))
