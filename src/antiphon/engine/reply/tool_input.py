"""Incremental parser for a model's `{"input": "..."}`."""

import re

import msgspec

INPUT = "input"
"""The one parameter of a custom tool that is sent as a function."""

_OPENING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_READABLE = re.compile(
    r'(?:[^"\\]+'
    r"|\\(?:"
    r"[^u]"
    r"|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    # The second half of a surrogate pair alone, or a first half that certainly has no second one:
    r"|u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u]|\\u(?:[^dD]|[dD][^c-fC-F]))"
    # An invalid escape:
    r"|u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])"
    r"))*+",
    re.DOTALL,
)
"""A JSON string up to its end, or to an escape that may be incomplete."""
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


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
        readable = _READABLE.match(self._kept)
        assert readable is not None, "the pattern also matches the empty string"
        self._kept = self._kept[readable.end() :]
        self._ended = self._kept.startswith('"')
        return _ESCAPES.sub(_character, readable.group())

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


def _character(escape: re.Match[str]) -> str:
    text = escape.group()
    if len(text) == 2:
        return _SIMPLE.get(text[1], text)
    return bytes.fromhex(text.replace("\\u", "")).decode("utf-16-be", "replace")
