"""Search for keys, tokens and passwords in calls and recordings.

The search covers texts and names of members at every depth: in JSON inside a text (tool arguments), in
Base64, and across the chunks of a stream. Headers are never recorded, so they need no search.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON


class Pattern(NamedTuple):
    """A form of secret."""

    kind: str
    expression: re.Pattern[str]
    """The group `secret`, if it exists, matches the secret itself."""
    hints: tuple[str, ...] = ()
    """Lower-case words; a built-in pattern is tried only in texts with one of them, for speed."""


_NAMES = (
    r"api[_-]?key|x-api-key|subscription[_-]?key|access[_-]?key|account[_-]?key|secret[_-]?(?:access[_-]?)?key"
    r"|(?:access|refresh|auth|bearer|session|id)[_-]?token|client[_-]?secret|private[_-]?key"
    r"|authorization|password|passwd|passphrase"
)

SECRET_NAME = re.compile(rf"(?:.*[_-])?(?:{_NAMES})", re.IGNORECASE)
"""Names of members whose value is a secret in any form (full match)."""


def _word(kind: str, expression: str, *hints: str) -> Pattern:
    """Return a pattern with a boundary before it: `task-...` contains no `sk-...`."""
    return Pattern(kind, re.compile(rf"(?<![A-Za-z0-9])(?:{expression})"), hints)


def _anywhere(kind: str, expression: str, *hints: str) -> Pattern:
    return Pattern(kind, re.compile(expression), hints)


PATTERNS: tuple[Pattern, ...] = (
    _anywhere("private key", r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----", "private key"),
    _word(
        "API key", r"sk-(?:proj|svcacct|admin|antiphon|None|ant-[a-z0-9]+|or-v1|lf)-[A-Za-z0-9_-]{16,}", "sk-"
    ),
    _word("API key", r"sk-[A-Za-z0-9]{32,}", "sk-"),
    _word(
        "API key",
        r"(?:sk|rk|gsk|csk|dsk|xai|pplx|tvly|nvapi)-(?=[a-z]*[0-9A-Z])[A-Za-z0-9_]{20,}",
        *("sk-", "rk-", "xai-", "pplx-", "tvly-", "nvapi-"),
    ),
    _word("API key", r"tvly-(?:dev|prod)-[A-Za-z0-9_-]{20,}", "tvly-"),
    _word(
        "API key",
        r"(?:gsk|hf|fw|r8|lsv2_pt|lsv2_sk|pcsk|ctx7sk)_[A-Za-z0-9_]{20,}",
        *("sk_", "hf_", "fw_", "r8_", "lsv2_"),
    ),
    _word("payment key", r"(?:sk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{20,}", "sk_", "rk_", "whsec_"),
    _word(
        "AWS access key", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])", "akia", "asia", "abia", "acca"
    ),
    _anywhere(
        "AWS secret key",
        r"(?i)aws.{0,20}?secret.{0,20}?[\"'\s:=]+(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        "aws",
    ),
    _word("Bedrock key", r"(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/]{40,}=*", "absk", "bedrock-api-key-"),
    _word("Google API key", r"AIza[A-Za-z0-9_-]{35}", "aiza"),
    _word("Google token", r"(?:ya29\.|GOCSPX-|1//0)[A-Za-z0-9_-]{20,}", "ya29.", "gocspx-", "1//0"),
    _anywhere("Azure key", r"(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/]{40,}=*)", "key="),
    _word("Azure key", r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{20,26}(?![A-Za-z0-9])", "jqqj99"),
    _word("Azure client secret", r"[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}", "q~"),
    _anywhere(
        "signed URL",
        r"[?&](?:sig|X-Amz-Signature|X-Goog-Signature)=(?P<secret>[A-Za-z0-9%+/_-]{32,})",
        *("sig=", "signature="),
    ),
    _word("GitHub token", r"gh[pousr]_[A-Za-z0-9]{30,}", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    _word("GitHub token", r"github_pat_[A-Za-z0-9_]{22,}", "github_pat_"),
    _word(
        "GitLab token",
        r"gl(?:pat|ptt|dt|rt|cbt)-[A-Za-z0-9_-]{20,}",
        "glpat",
        "glptt",
        "gldt",
        "glrt",
        "glcbt",
    ),
    _word("Slack token", r"(?:xox[abeoprs]-|xapp-)[A-Za-z0-9-]{10,}", "xox", "xapp-"),
    _anywhere("Slack webhook", r"hooks\.slack\.com/\w+/(?P<secret>[A-Za-z0-9/]{20,})", "hooks.slack.com"),
    _word("package token", r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}", "npm_", "pypi-"),
    _word("mail key", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", "sg."),
    _word(
        "cloud token",
        r"(?:dop_v1_|dapi|shpat_|hvs\.|dp\.pt\.)[A-Za-z0-9_-]{32,}",
        *("dop_v1_", "dapi", "shpat_", "hvs.", "dp.pt."),
    ),
    _word("JSON web token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}", "eyj"),
    _anywhere(
        "bearer token", r"(?i)\bbearer\s+(?P<secret>(?=[^\s]*[0-9])[A-Za-z0-9._~+/-]{16,}=*)", "bearer"
    ),
    _anywhere(
        "basic credentials",
        r"(?i)authorization[\"']?\s*[:=]\s*[\"']?basic\s+(?P<secret>[A-Za-z0-9+/]{8,}=*)",
        "basic",
    ),
    # The length of the scheme is bounded, because long texts would take quadratic time otherwise.
    _anywhere(
        "password in a URL",
        r"[a-z][a-z0-9+.-]{0,20}://[^\s/:@\"'<>]*:(?P<secret>[^\s/@\"'<>{}$*]{3,})@",
        "://",
    ),
    _anywhere(
        "named secret",
        rf"(?i)(?<![a-z0-9])(?:{_NAMES})[\"']?\s*[:=]\s*[\"']?"
        r"(?P<secret>(?=[^\s\"']*[0-9])(?=[^\s\"']*[A-Za-z])[A-Za-z0-9_./+~-]{16,}=*)",
        *("key", "token", "secret", "authorization", "passw", "passphrase"),
    ),
)

ANY_HINT = re.compile("|".join(sorted(re.escape(hint) for pattern in PATTERNS for hint in pattern.hints)))
SHORTEST = 12
"""Length of the shortest text that a built-in pattern can match."""

PLACEHOLDER = re.compile(
    r"(?i)(?:your|my|the|an?|some|test|dummy|fake|example|sample)?[-_ ]?"
    r"(?:api[-_ ]?key|key|token|password|passwd|pass|pwd|secret|unused|none|null|redacted|changeme)"
    r"(?:[-_ ]?here)?"
    r"|[x*.…-]+|<.*>|\$\{?\w+\}?|\{\{?.*\}\}?|string|__\w+__"
)
"""Placeholders of secrets in documentation (full match)."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_UNMASKED = 4
_NAMED_LENGTH = 8
"""Minimum length of a secret that is found by its name alone."""


@dataclass(frozen=True)
class Finding:
    """A secret that was found, masked, and its place."""

    place: str
    kind: str
    masked: str

    def __str__(self) -> str:
        return f"{self.place}: {self.kind} ({self.masked})"


def find(value: JSON, patterns: Sequence[Pattern] = (), place: str = "") -> list[Finding]:
    """Return the secrets in a JSON value, in order.

    Args:
        value: The value to search.
        patterns: Patterns in addition to the built-in ones.
        place: The name of the value, with which the path of each finding starts.
    """
    # If two patterns match the same secret, the first one determines the kind.
    found: dict[tuple[str, str], Finding] = {}
    for finding, secret in _search(value, place, patterns):
        found.setdefault((finding.place, secret), finding)
    return list(found.values())


def find_in_call(call: RecordedCall, patterns: Sequence[Pattern] = ()) -> list[Finding]:
    """Return the secrets in all data of a call that a file contains."""
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
        # An answer that isn't a chat completion is searched part by part, above.
        with suppress(UpstreamBroken, msgspec.DecodeError):
            values.append(("answer", msgspec.json.decode(fold_chunks(call.payloads()))))
    return [finding for place, value in values for finding in find(value, patterns, place)]


def user_pattern(name: str, expression: str) -> Pattern:
    """Return an operator's own pattern.

    Raises:
        ValueError: The expression isn't a valid regular expression.
    """
    try:
        return Pattern(name, re.compile(expression))
    except re.error as error:
        raise ValueError(f"{expression!r} isn't a valid regular expression: {error}") from None


def _search(value: JSON, place: str, patterns: Sequence[Pattern]) -> Iterator[tuple[Finding, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            inner = f"{place}.{name}" if place else name
            named = list(_search_text(name, f"{place or 'the value'} (the name of a member)", patterns))
            if named:  # The path must not contain the secret that the finding masks.
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
    """Yield the built-in patterns with a hint in the text; most texts have none."""
    if len(text) >= SHORTEST and ANY_HINT.search(lowered := text.lower()):
        yield from (pattern for pattern in PATTERNS if any(hint in lowered for hint in pattern.hints))


def _finding(place: str, kind: str, secret: str) -> tuple[Finding, str]:
    start = secret[:_UNMASKED] if len(secret) >= 4 * _UNMASKED else ""
    return Finding(place, kind, f"{start}…, {len(secret)} characters"), secret


def _may_be_secret(text: str) -> bool:
    """Return whether a text with a secret's name isn't a description or a placeholder."""
    return len(text) >= _NAMED_LENGTH and not re.search(r"\s", text) and not PLACEHOLDER.fullmatch(text)


def _from_base64(text: str) -> str | None:
    """Return the text in plain or URL-safe Base64, or None."""
    padded = text.rstrip("=").replace("-", "+").replace("_", "/")
    padded += "=" * (-len(padded) % 4)
    try:
        decoded = base64.b64decode(padded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded if decoded.isprintable() or "\n" in decoded else None


def _decoded(text: bytes) -> JSON:
    """Return a JSON value, or the text itself if it isn't valid JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text.decode(errors="replace")
