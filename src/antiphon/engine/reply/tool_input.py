"""Incremental parser for a model's `{"input": "..."}`."""

import re

import msgspec

from antiphon.engine.client.strings import READABLE, unescaped

INPUT = "input"
"""The one parameter of a custom tool that is sent as a function."""

_OPENING = re.compile(r'\s*\{\s*"input"\s*:\s*"')


class InputReader:
    """The parser for the arguments of one call, which returns each certain character.

    Arguments of another form are parsed once they are complete; if they have no string in `input`, the input
    is all of the arguments. Invalid escapes remain unchanged, and half surrogate pairs become U+FFFD.
    """

    def __init__(self) -> None:
        self._kept = ""
        self._begun = False
        self._ended = False

    def feed(self, piece: str) -> str:
        """Parse a part of the arguments; return the text that it adds to the input."""
        if self._ended:
            return ""
        self._kept += piece
        if not self._begun:
            opening = _OPENING.match(self._kept)
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
            return msgspec.json.decode(self._kept, type=_Input).input
        except (msgspec.DecodeError, RecursionError):
            return self._kept


class _Input(msgspec.Struct):
    input: str
