"""Incremental reader of the strings in a JSON text that a model writes."""

import re
from typing import NamedTuple

READABLE = re.compile(
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
_MARK = re.compile(r'["{}\[\],]')
_MAX_DEPTH = 4
"""Levels of objects and arrays whose strings are read."""

Path = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""


def unescaped(text: str) -> str:
    """Return the readable part of a JSON string without its escapes.

    Invalid escapes remain unchanged, and half surrogate pairs become U+FFFD.
    """
    return _ESCAPES.sub(_character, text)


class Piece(NamedTuple):
    """A piece of a string."""

    path: Path
    text: str
    ends: bool
    """Whether the string ends with this piece."""


class StringReader:
    """The reader of one JSON text, which returns each certain character of its strings.

    It reads any text without errors; whether the text is valid is for its parser to decide.
    """

    def __init__(self) -> None:
        self._kept = ""
        self._levels: list[str | int | None] = []
        """The keys and indexes of the open objects and arrays; None in an object that awaits a key."""
        self._string: str | None = None
        """The open key so far, or an empty text for an open value; None outside of strings."""
        self._is_key = False

    def feed(self, piece: str) -> list[Piece]:
        """Parse the next piece of the text; return the pieces of strings in it."""
        text, place = self._kept + piece, 0
        found: list[Piece] = []
        while place < len(text):
            if self._string is None:
                mark = _MARK.search(text, place)
                if mark is None:
                    place = len(text)
                    break
                place = mark.end()
                self._structure(mark.group())
                continue
            readable = READABLE.match(text, place)
            assert readable is not None, "the pattern also matches the empty string"
            place = readable.end()
            ends = text.startswith('"', place)
            self._string_piece(found, unescaped(readable.group()), ends)
            if not ends:
                break
            place += 1
        self._kept = text[place:]
        return found

    def _structure(self, mark: str) -> None:
        levels = self._levels
        if mark == '"':
            self._string = ""
            self._is_key = bool(levels) and levels[-1] is None
        elif mark == "{":
            levels.append(None)
        elif mark == "[":
            levels.append(0)
        elif not levels:
            return
        elif mark == ",":
            level = levels[-1]
            levels[-1] = level + 1 if isinstance(level, int) else None
        else:
            levels.pop()

    def _string_piece(self, found: list[Piece], text: str, ends: bool) -> None:
        if self._is_key:
            self._string = f"{self._string}{text}"
            if ends:
                self._levels[-1] = self._string
        elif len(self._levels) <= _MAX_DEPTH:
            path = tuple(level for level in self._levels if level is not None)
            found.append(Piece(path, text, ends))
        if ends:
            self._string = None


def _character(escape: re.Match[str]) -> str:
    text = escape.group()
    if len(text) == 2:
        return _SIMPLE.get(text[1], text)
    return bytes.fromhex(text.replace("\\u", "")).decode("utf-16-be", "replace")
