"""Readable JSON with short line-wise diffs, and atomic writes."""

import json
import os
import re
import secrets
from pathlib import Path

from antiphon.wire.json import JSON

_WIDTH = 110
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Characters that are invisible, or that change the direction of text."""


def format_json(value: JSON, indent: int = 0) -> str:
    """Return a value as JSON, each part on one line if it fits.

    `indent` is the indentation of the first line in characters. The last line has no line break.
    """
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", _lines(value, indent))


def _lines(value: JSON, indent: int) -> str:
    if not isinstance(value, dict | list) or not value or _room_after(value, _WIDTH - indent) >= 0:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        opening, closing = "{}"
        members = [
            f"{json.dumps(name, ensure_ascii=False)}: {_lines(value[name], indent + 1)}" for name in value
        ]
    else:
        opening, closing = "[]"
        members = [_lines(member, indent + 1) for member in value]
    pad = "\n" + " " * (indent + 1)
    return f"{opening}{pad}{f',{pad}'.join(members)}\n{' ' * indent}{closing}"


def _room_after(value: JSON, room: int) -> int:
    """Return the rest of some room in a line after a value; a negative number if it doesn't fit.

    It reads only the part of a value that fits. Otherwise, a value would be read once per level around it.
    """
    if isinstance(value, dict | list):
        room -= 2 * max(1, len(value))  # The brackets, and a comma and a space between two entries.
        for entry in value:
            if room < 0:
                return room
            room = _room_after(entry, room)
            if isinstance(value, dict):
                room = _room_after(value[entry], room - 2)
        return room
    if isinstance(value, str) and len(value) > room:
        return -1
    return room - len(json.dumps(value, ensure_ascii=False))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Readers, also after a crash, get either the old or the new content. Missing folders are created.

    Raises:
        OSError: The file could not be written. It is unchanged, and no temporary file remains.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is atomic only within one file system. Because of its suffix, the
    # file isn't read as a recording.
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
