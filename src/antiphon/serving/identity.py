"""Identities of server processes, which tell on the same machine whether a process has ended."""

import hashlib
import os
import secrets
import socket
import sys
import uuid
from functools import cache
from pathlib import Path

_BOOT, _PROCESSES = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
"""A process ID is unique in one start of the machine, and on Linux in one namespace."""


def new_identity(port: int, worker: int) -> str:
    """Return the identity of this process among the servers of a database; no other process has it.

    Args:
        port: The port, for people.
        worker: The number of the process among the workers, for people.
    """
    name = f"{socket.gethostname()}:{port}" if worker == 1 else f"{socket.gethostname()}:{port}/{worker}"
    return f"{name}#{os.getpid()}@{_machine()}-{secrets.token_hex(4)}"


def has_ended(identity: str) -> bool:
    """Return whether a process has certainly ended.

    Nothing is known about processes of other machines and containers. They count as stopped once they are
    silent.
    """
    process, _, place = identity.rpartition("#")[2].partition("@")
    if place.partition("-")[0] != _machine() or not process.isdecimal():
        return False
    if sys.platform == "win32":  # Signals end processes there.
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


@cache
def _machine() -> str:
    """Return a digest that is equal for all processes with the same process IDs."""
    try:
        unique = _BOOT.read_text() + os.readlink(_PROCESSES)
    except OSError:  # Not on Linux
        unique = f"{socket.gethostname()} {uuid.getnode()}"
    return hashlib.sha256(unique.encode()).hexdigest()[:12]
