"""Texts, times and sizes as the pages show them."""

import time
from datetime import UTC, datetime

import msgspec

from antiphon.wire.json import JSON

_WORDS = 120
"""Characters of an excerpt."""
MOST_TEXT = 50_000
"""Characters of one text on a page; the JSON has all of them."""


def excerpt(text: str, most: int = _WORDS) -> str:
    """Return the start of a text in one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[: most - 1]}…"


def cut(text: str) -> str:
    """Return a text, or the start of a long one with a note."""
    if len(text) <= MOST_TEXT:
        return text
    return f"{text[:MOST_TEXT]}\n… {len(text) - MOST_TEXT:,} more characters; the JSON has them"


def pretty(value: object) -> str:
    """Return a JSON value, or an object of the API, as indented JSON."""
    return cut(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def plain(value: JSON) -> str:
    """Return a value of a setting as text."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def indented(text: str) -> str:
    """Return a text that is probably JSON with indentation, or as it is."""
    if len(text) > MOST_TEXT:
        return cut(text)
    try:
        return pretty(msgspec.json.decode(text, type=JSON))
    except (msgspec.DecodeError, RecursionError):
        return text


def iso(seconds: float) -> str:
    """Return a Unix time in the form of RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(seconds: float) -> str:
    """Return a Unix time for people: the time of a day of this year, or the day."""
    then, now = datetime.fromtimestamp(seconds, UTC), datetime.fromtimestamp(time.time(), UTC)
    if then.date() == now.date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%b %d %H:%M" if then.year == now.year else "%Y-%m-%d")


def duration(seconds: float | None) -> str:
    """Return a duration for people."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
