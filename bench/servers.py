"""Server processes: start, pinning to cores, measurement and stop."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = {_CORES[0]}
"""The cores of the server: one, which is its own if there are at least two."""
OTHER_CORES = set(_CORES[1:]) or SERVER_CORES
"""The cores of the backend and the client."""


class NotStarted(SystemExit):
    """A server failed to start; the run ends unless it can continue without it."""


@dataclass
class Process:
    """A running server."""

    process: subprocess.Popen[str]
    """The process."""
    port: int
    """The port that the server listens on."""
    began: float
    """The time of its start, by the monotonic clock."""
    ready: float = 0.0
    """Seconds from the start to the first response."""

    def cpu(self) -> float:
        """Return the CPU seconds of the process and its children, exact to the nanosecond."""
        return cpu_of(self.process.pid)

    def memory(self) -> int:
        """Return the resident bytes of the process and its children."""
        pages = sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(self.process.pid)
        )
        return pages * os.sysconf("SC_PAGE_SIZE")

    def peak(self) -> int:
        """Return the peak resident bytes of the process and its children.

        The peak is that since `forget_peak`, or since the start.
        """
        return sum(_peak(pid) for pid in family(self.process.pid))

    def forget_peak(self) -> None:
        """Restart the measurement of the peak."""
        for pid in family(self.process.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # See proc_pid_clear_refs(5).


def cpu_of(process_id: int) -> float:
    """Return the CPU seconds of a process and its children, exact to the nanosecond."""
    return sum(time.clock_gettime(_cpu_clock(pid)) for pid in family(process_id))


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process's CPU time, like clock_getcpuclockid(3) on Linux."""
    return ~pid << 3 | 2


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def family(pid: int) -> Iterator[int]:
    """Yield a process and its children."""
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def started(
    command: Sequence[str], port: int, *, env: dict[str, str], folder: str, probe: str, patience: float = 60
) -> Iterator[Process]:
    """Run a server until the block ends.

    Args:
        command: The command of the server.
        port: The port that it listens on.
        env: Additional environment variables.
        folder: The working directory, also for the log.
        probe: The path whose first response with a status below 500 shows that the server is ready.
        patience: Time limit in seconds for the start.

    Raises:
        NotStarted: The server isn't ready in time.
    """
    log = Path(folder) / f"server-{port}.log"
    began = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            env=os.environ | env,
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            # In its own session, Ctrl-C stops the server only through `_stop`.
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORES),
        )
    try:
        server = Process(process, port, began)
        server.ready = _wait(server, probe, began + patience, log)
        yield server
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop a server, and kill the processes that remain, even after another Ctrl-C."""
    try:
        process.terminate()
        process.wait(20)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(server: Process, probe: str, until: float, log: Path) -> float:
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise NotStarted(f"{server.process.args!r}: ended at once\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{probe}", timeout=5):
                return time.monotonic() - server.began
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return time.monotonic() - server.began
        except OSError:
            pass
        time.sleep(0.005)
    raise NotStarted(f"{server.process.args!r}: no answer\n{log.read_text()[-3000:]}")


@contextmanager
def stub() -> Iterator[int]:
    """Run the backend until the block ends, and yield its port."""
    port = free_port()
    command = [sys.executable, str(HERE / "stub.py"), str(port)]
    process = subprocess.Popen(
        command, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, OTHER_CORES)
    )
    try:
        while True:
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield port
    finally:
        process.kill()
        process.wait()


def answered(stub_port: int) -> int:
    """Return the number of model calls that the backend has served."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stub_port}/answered", timeout=30) as answer:
        return int(answer.read())


@contextmanager
def antiphon(stub_port: int, folder: str, *flags: str, database: str | None = None) -> Iterator[Process]:
    """Run Antiphon on the backend until the block ends."""
    port = free_port()
    env = {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{stub_port}/v1",
        "ANTIPHON_DISCOVER": "false",
    }
    command = [sys.executable, "-m", "antiphon", "serve", "--port", str(port), "--log-level", "warning"]
    command += ["--database", database or f"{folder}/bench-{port}.db", *flags]
    with started(command, port, env=env, folder=folder, probe="/v1/models") as server:
        yield server
