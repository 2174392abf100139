"""Comparison of the folder of files with the database."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from antiphon.store.upkeep.check import Problem

_YOUNG = 3600.0
"""Seconds after which a file without a row can't be an upload in progress."""
_PORTION = 500
"""Names to look up at a time."""


def problems_of_folder(
    folder: Path, stored: Iterable[tuple[str, int]], known: Callable[[Sequence[str]], set[str]]
) -> Iterator[Problem]:
    """Yield the files whose content is missing or has another size, and contents without a file.

    Args:
        folder: The folder.
        stored: The IDs and sizes of the files in the database.
        known: Returns which of some names are IDs of files in the database.
    """
    for file_id, size in stored:
        try:
            found = (folder / file_id).stat().st_size
        except FileNotFoundError:
            yield Problem("missing_content", f"the content of {file_id} is missing from {folder}")
            continue
        if found != size:
            yield Problem("wrong_size", f"the content of {file_id} has {found} bytes instead of {size}")
    names = _old_names(folder)
    while some := list(islice(names, _PORTION)):
        owned = known(some)
        for name in some:
            if name not in owned:
                yield Problem("orphaned_content", f"{folder / name} belongs to no file; delete it")


def size_of_folder(folder: Path) -> int:
    """Return the bytes of all contents."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except FileNotFoundError:
        return 0


def _old_names(folder: Path) -> Iterator[str]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_file() and entry.stat().st_mtime < time.time() - _YOUNG:
                yield entry.name
