"""Incremental parser for a model's `{"input": "..."}`, and for other objects with one text."""

import re

import msgspec

from antiphon.engine.client.strings import READABLE, unescaped
from antiphon.wire.json import JSON

INPUT = "input"
"""The one parameter of a custom tool that is sent as a function."""


class InputReader:
    """The parser for the arguments of one call, which returns each certain character.

    Arguments of another form are parsed once they are complete; if they have no string in `key`, the text is
    all of the arguments. Invalid escapes remain unchanged, and half surrogate pairs become U+FFFD.
    """

    def __init__(self, key: str = INPUT) -> None:
        self._key = key
        self._opening = re.compile(rf'\s*\{{\s*"{key}"\s*:\s*"')
        self._kept = ""
        self._begun = False
        self._ended = False

    def feed(self, piece: str) -> str:
        """Parse a part of the arguments; return the text that it adds to the input."""
        if self._ended:
            return ""
        self._kept += piece
        if not self._begun:
            opening = self._opening.match(self._kept)
            if opening is None:
                return ""
            self._begun = True
            self._kept = self._kept[opening.end() :]
        readable = READABLE.match(self._kept)
        assert readable is not None, "the pattern also matches the empty string"
        self._kept = self._kept[readable.end() :]
        self._ended = self._kept.startswith('"')
        return unescaped(readable.group())

    def close(self, *, is_cut: bool) -> str:
        """Return the rest of the input; uncertain text of truncated arguments is dropped."""
        if self._begun or (is_cut and self._kept.lstrip().startswith("{")):
            return ""
        try:
            given: JSON = msgspec.json.decode(self._kept)
        except (msgspec.DecodeError, RecursionError):
            return self._kept
        text = given.get(self._key) if isinstance(given, dict) else None
        return text if isinstance(text, str) else self._kept
