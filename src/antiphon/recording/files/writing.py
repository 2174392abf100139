"""JSON laid out for people and for line-wise diffs: what fits on a line stands on one."""

import json
import os
import re
import secrets
from pathlib import Path

from antiphon.wire.json import JSON

_WIDTH = 110
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""Characters that a reader does not see, or that turn the text around for him."""


def laid_out(value: JSON, indent: int = 0) -> str:
    """Returns the value as JSON, without a line break at its end; `indent` is how far in it stands."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", _lines(value, indent))


def _lines(value: JSON, indent: int) -> str:
    compact = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or indent + len(compact) <= _WIDTH:
        return compact
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


def write_atomically(path: Path, content: bytes) -> None:
    """Writes the file so that a reader, or a crash, meets the old content or the new one and nothing between.

    Missing folders are made. Raises OSError; the old file then stands, and no other is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is atomic only within one file system. The ending keeps it from
    # being read as a recording.
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
