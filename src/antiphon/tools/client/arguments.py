"""Arguments of a model for built-in tools, which may deviate from their schema."""

import msgspec

from antiphon.wire.json import JSON, JSONObject


def decoded(arguments: str) -> JSONObject | None:
    """Return the arguments; None if they aren't a JSON object."""
    try:
        value: JSON = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def invalid(expected: str) -> str:
    """Return the error for arguments that are of no use."""
    return f"has invalid arguments; expected {expected}"


def number(value: JSON) -> int | None:
    """Return a positive integer; None for any other value."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**53:
        return int(value)
    return None


def strings(value: JSON) -> list[str] | None:
    """Return a list of strings; None for any other value."""
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return value
    return None
