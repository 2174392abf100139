"""Text for terminals: bounded, on one line or indented, and without control characters."""

import os
import shutil
import sys
from datetime import datetime
from typing import TextIO

MOST_TEXT = 4000
"""The most characters of a text; `--format json` has all of it."""
_PIPE_WIDTH = 200
_COLORS = {"completed": "32", "failed": "31", "refused": "31", "cancelled": "33", "incomplete": "33"}


def printable(text: str) -> str:
    """Return a text in one line, with control characters escaped."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else repr(c)[1:-1] for c in text)


def has_color(stream: TextIO = sys.stdout) -> bool:
    """Return whether the output can have colors: in a terminal, unless `NO_COLOR` is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width(stream: TextIO = sys.stdout) -> int:
    """Return the number of columns of the output."""
    return shutil.get_terminal_size().columns if stream.isatty() else _PIPE_WIDTH


def colored(text: str, status: str, *, is_colored: bool) -> str:
    """Return a text in the color of a status."""
    code = _COLORS.get(status.strip())
    return f"\x1b[{code}m{text}\x1b[0m" if is_colored and code else text


def cut(text: str, most: int) -> str:
    """Return a text of at most some characters."""
    return text if len(text) <= most else f"{text[: max(0, most - 1)]}…"


def block(text: str, indent: str) -> list[str]:
    """Return the indented lines of a text, cut to its bound."""
    more = len(text) - MOST_TEXT
    lines = [printable(line) for line in text[:MOST_TEXT].splitlines()]
    if more > 0:
        lines.append(f"… {more} more characters; --format json has all")
    return [f"{indent}{line}".rstrip() for line in lines]


def moment(seconds: float, *, is_full: bool = False) -> str:
    """Return a local time; the day only if it isn't today."""
    at = datetime.fromtimestamp(seconds).astimezone()
    if is_full:
        return at.isoformat(sep=" ", timespec="seconds")
    is_today = at.date() == datetime.now().astimezone().date()
    return at.strftime("%H:%M:%S" if is_today else "%m-%d %H:%M")


def duration(seconds: float | None) -> str:
    """Return a duration, such as `0.21s`; a dash for an unknown one."""
    return "-" if seconds is None else f"{seconds:.2f}s" if seconds < 100 else f"{seconds:.0f}s"
