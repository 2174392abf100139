"""Commands in a terminal of their own."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping

_OF_TERMINALS = ("NO_COLOR", "COLUMNS", "TERM")


def in_terminal(
    *arguments: str,
    columns: int = 80,
    env: Mapping[str, str] | None = None,
    until: Callable[[str], bool] | None = None,
) -> str:
    """Run a command in a terminal, and return its output.

    Args:
        arguments: The arguments of `antiphon`.
        columns: The width of the terminal.
        env: Further variables of the environment.
        until: The condition on the output at which the command is interrupted; None waits for its end.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in _OF_TERMINALS}
    command = [sys.executable, "-m", "antiphon", *arguments]
    with subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=subprocess.STDOUT,
        env={**variables, "TERM": "xterm", **(env or {})},
        start_new_session=True,
    ) as process:
        os.close(follower)
        seen = b""
        try:
            while data := _read(leader):
                seen += data
                if until is not None and until(seen.decode(errors="replace")):
                    process.send_signal(2)
                    until = None
        finally:
            os.close(leader)
            process.kill()
    return seen.decode().replace("\r\n", "\n")


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # The last process has closed the terminal.
        return b""
