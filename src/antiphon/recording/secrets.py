"""Finds keys, tokens and passwords in what is about to be recorded, and in what is.

Texts and names of members are searched wherever they stand: nested, in JSON that is itself a text (tool
arguments), in Base64, and across the chunks of a stream. Headers need no search, for none is ever recorded.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls import RecordedCall
from antiphon.recording.secret_patterns import (
    ANY_HINT,
    PATTERNS,
    PLACEHOLDER,
    SECRET_NAME,
    SHORTEST,
    Pattern,
)
from antiphon.wire.json import JSON

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_SHOWN = 4
_NAMED_LENGTH = 8
"""The fewest characters of a text that its name alone makes a secret."""


@dataclass(frozen=True)
class Finding:
    """What was found and where; the secret itself is masked."""

    place: str
    kind: str
    masked: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind} ({self.masked})"


def find(value: JSON, patterns: Sequence[Pattern] = (), place: str = "") -> list[Finding]:
    """Returns the secrets in a JSON value, in its order; `patterns` are searched beside the built-in ones.

    `place` is what the value is called, as the beginning of each finding's path.
    """
    # The same secret may fit two forms: the first one names it.
    found: dict[tuple[str, str], Finding] = {}
    for finding, secret in _search(value, place, patterns):
        found.setdefault((finding.place, secret), finding)
    return list(found.values())


def find_in_call(call: RecordedCall, patterns: Sequence[Pattern] = ()) -> list[Finding]:
    """Returns the secrets in everything of a call that a file would hold."""
    values: list[tuple[str, JSON]] = [
        ("scope", call.scope),
        ("address", msgspec.to_builtins(call.address)),
        ("request", call.request),
    ]
    if call.error is not None:
        values.append(("error", msgspec.to_builtins(call.error)))
    for number, part in enumerate(call.parts):
        values.append((f"answer[{number}]" if len(call.parts) > 1 else "answer", _decoded(bytes(part))))
    if call.streamed and call.kind == "chat":
        # What is no chat completion is searched part by part, as all others are.
        with suppress(UpstreamBroken, msgspec.DecodeError):
            values.append(("answer", msgspec.json.decode(fold_chunks(call.payloads()))))
    return [finding for place, value in values for finding in find(value, patterns, place)]


def user_pattern(name: str, expression: str) -> Pattern:
    """Makes a pattern of an operator's own; raises ValueError when it is no regular expression."""
    try:
        return Pattern(name, re.compile(expression))
    except re.error as error:
        raise ValueError(f"{expression!r} is no regular expression: {error}") from None


def _search(value: JSON, place: str, patterns: Sequence[Pattern]) -> Iterator[tuple[Finding, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            inner = f"{place}.{name}" if place else name
            named = list(_search_text(name, f"{place or 'the value'} (the name of a member)", patterns))
            if named:  # The path must not tell what the finding hides.
                inner = f"{place}.…" if place else "…"
            yield from named
            if isinstance(member, str) and SECRET_NAME.fullmatch(name) and _may_be_secret(member):
                yield _finding(inner, "named secret", member)
            yield from _search(member, inner, patterns)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _search(member, f"{place}[{position}]", patterns)
    elif isinstance(value, str):
        yield from _search_text(value, place, patterns)
        if value.lstrip()[:1] in ("{", "["):
            inner = _decoded(value.encode(errors="replace"))
            if isinstance(inner, dict | list):
                yield from _search(inner, f"{place} (JSON)", patterns)


def _search_text(text: str, place: str, patterns: Sequence[Pattern]) -> Iterator[tuple[Finding, str]]:
    yield from _matches(text, place, patterns)
    for match in _BASE64.finditer(text):
        decoded = _from_base64(match[0])
        if decoded is not None:
            yield from _matches(decoded, f"{place} (Base64)", patterns)


def _matches(text: str, place: str, patterns: Sequence[Pattern]) -> Iterator[tuple[Finding, str]]:
    for kind, expression, _ in (*patterns, *_likely(text)):
        for match in expression.finditer(text):
            secret = match["secret"] if "secret" in expression.groupindex else match[0]
            if secret and not PLACEHOLDER.fullmatch(secret):
                yield _finding(place, kind, secret)


def _likely(text: str) -> Iterator[Pattern]:
    """Yields the built-in patterns that may be in the text, by their hints; of most texts none."""
    if len(text) >= SHORTEST and ANY_HINT.search(lowered := text.lower()):
        yield from (pattern for pattern in PATTERNS if any(hint in lowered for hint in pattern.hints))


def _finding(place: str, kind: str, secret: str) -> tuple[Finding, str]:
    shown = secret[:_SHOWN] if len(secret) >= 4 * _SHOWN else ""
    return Finding(place, kind, f"{shown}…, {len(secret)} characters"), secret


def _may_be_secret(text: str) -> bool:
    """Tells a secret from a description or a placeholder, for a text that bears a secret's name."""
    return len(text) >= _NAMED_LENGTH and not re.search(r"\s", text) and not PLACEHOLDER.fullmatch(text)


def _from_base64(text: str) -> str | None:
    """Returns the text that is written in Base64, plain or URL-safe; None when it is none."""
    padded = text.rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        decoded = base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded if decoded.isprintable() or "\n" in decoded else None


def _decoded(text: bytes) -> JSON:
    """Returns the JSON value, or the text itself where it is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text.decode(errors="replace")
