"""The directory through which the workers of a server sum their metrics."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the directory; it must be set before the library of metrics is imported."""
_LIVE = re.compile(r"gauge_live[a-z]+_(?P<pid>[0-9]+)\.db")
"""Files of values that end with their process."""


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Give the processes that are forked in the block a directory for their metrics.

    The process that entered the block deletes the directory. A directory of the operator stays.
    """
    if DIRECTORY in os.environ:
        yield
        return
    owner, folder = os.getpid(), tempfile.mkdtemp(prefix="antiphon-metrics-")
    os.environ[DIRECTORY] = folder
    try:
        yield
    finally:
        if os.getpid() == owner:
            del os.environ[DIRECTORY]
            shutil.rmtree(folder, ignore_errors=True)


def forget_stopped(folder: Path) -> None:
    """Delete the values of stopped processes that say what is open at the moment, such as streams.

    Their counters stay, because they must not decrease.
    """
    for file in folder.glob("gauge_live*.db"):
        name = _LIVE.fullmatch(file.name)
        if name is not None and not _is_running(int(name["pid"])):
            file.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
