"""The text that a model writes as `{"input": "..."}`, read while it grows. Pure."""

import re

import msgspec

INPUT = "input"
"""The one parameter of a custom tool that goes out as a function."""

_OPENING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_READABLE = re.compile(
    r'(?:[^"\\]+'
    r"|\\(?:"
    r"[^u]"
    r"|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
    r"|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    # A half of a pair, once it is sure that the other half does not follow:
    r"|u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|u[dD][89abAB][0-9a-fA-F]{2}(?=[^\\]|\\[^u]|\\u(?:[^dD]|[dD][^c-fC-F]))"
    # No escape at all:
    r"|u(?=[0-9a-fA-F]{0,3}[^0-9a-fA-F])"
    r"))*+",
    re.DOTALL,
)
"""A string in JSON up to its end, or to an escape that may go on."""
_ESCAPES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_SIMPLE = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class InputReader:
    """Reads the arguments of one call: the text of `input`, as soon as each character is sure.

    Arguments that do not begin with it are read when they are whole. Where there is no text of that name, the
    input is all that the model wrote. Escapes that JSON does not know stand for themselves, halves of
    surrogate pairs for U+FFFD.
    """

    def __init__(self) -> None:
        self._kept = ""
        self._begun = False
        self._ended = False

    def feed(self, piece: str) -> str:
        """Takes a piece of the arguments and returns the text that it adds to the input."""
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
        assert readable is not None, "it matches nothing, too"
        self._kept = self._kept[readable.end() :]
        self._ended = self._kept.startswith('"')
        return _ESCAPES.sub(_character, readable.group())

    def close(self, *, is_cut: bool) -> str:
        """Returns what remains of the input; of arguments that were cut off, nothing that is not sure."""
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
