"""Several server processes on one port, and the process that starts them again.

The supervisor creates the listening socket, and its workers are forks of it. They share the socket, and with
it the queue of connections: whichever worker is free accepts the next one, and the queue remains when
a worker ends. With a socket for each worker (SO_REUSEPORT), the kernel would reset the queue of a worker that
ends, and would give connections to a worker that is busy.

All workers have the settings that the supervisor has read, also those that start later.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from msgspec import Struct

from antiphon.errors import ConfigError
from antiphon.serving.sockets import refuse_handshakes

log = logging.getLogger("antiphon.server")

_STOP = frozenset({signal.SIGINT, signal.SIGTERM})
_PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a worker starts again, by the number of its recent ends."""
_LONG = 30.0
"""Seconds after which a worker counts as one that works."""
_STOPPING = 20.0
"""Seconds that workers have to stop in order."""


class Worker(Struct, frozen=True):
    """One of the processes that serve; without a supervisor the only one."""

    number: int
    """Its number, from 1."""
    report: Callable[[str], None]
    """Reports the text to print once the worker serves."""
    supervisor: int | None = None
    """A file descriptor that becomes readable when the supervisor has ended."""


class _Process:
    """A worker, as the supervisor sees it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.report = -1
        self.text = b""
        self.is_ready = False
        self.began = 0.0
        self.ends = 0
        self.due = 0.0
        """When it starts, while it has no process."""


class Supervisor:
    """The process that starts the workers, and stops them.

    Args:
        listener: The listening socket.
        count: The number of workers.
        announce: Prints the start-up output.
    """

    def __init__(self, listener: socket.socket, count: int, announce: Callable[[str], None]) -> None:
        self._listener = listener
        self._announce = announce
        self._workers = [_Process(number) for number in range(1, count + 1)]
        self._selector = selectors.DefaultSelector()
        self._alive, self._own = os.pipe()
        self._is_serving = False
        self._stop_by: float | None = None
        self._exit_code = 0

    def run(self) -> Worker | None:
        """Start the workers, and supervise them until they have stopped.

        Returns:
            In each worker: the worker. In the supervisor: None, at the end.

        Raises:
            ConfigError: The platform has no forks.
            SystemExit: A worker could not start; it has printed the reason.
        """
        if not hasattr(os, "fork"):
            raise ConfigError("workers: this system can't fork processes; use one worker")
        with _signals() as arrived:
            self._selector.register(arrived, selectors.EVENT_READ)
            while any(worker.pid for worker in self._workers) or self._stop_by is None:
                started = self._start_due()
                if started is not None:
                    self._leave()
                    return started
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is arrived:
                        for number in arrived.recv(256):
                            if number in _STOP:
                                self._stop()
                    else:
                        self._read(key.data)
                self._reap()
                if self._stop_by is not None and time.monotonic() > self._stop_by:
                    self._send(signal.SIGKILL)
        self._leave()
        if self._exit_code:
            raise SystemExit(self._exit_code)
        return None

    def _start_due(self) -> Worker | None:
        """Start the workers whose time has come; return the worker in its own process.

        The first starts alone. So it brings the database up to date alone, and there is one message if the
        server can't start.
        """
        if self._stop_by is not None:
            return None
        now = time.monotonic()
        for worker in self._workers:
            if worker.pid is None and worker.due <= now:
                started = self._fork(worker)
                if started is not None:
                    return started
            if worker.number == 1 and not (self._is_serving or worker.is_ready):
                return None
        return None

    def _fork(self, worker: _Process) -> Worker | None:
        reading, writing = os.pipe()
        # A signal for the new process must not run the supervisor's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        pid = os.fork()
        if pid == 0:
            for stop in _STOP:
                signal.signal(stop, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
            os.close(reading)
            return Worker(worker.number, lambda text: _report(writing, text), self._alive)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)
        os.close(writing)
        worker.pid, worker.report, worker.text = pid, reading, b""
        worker.is_ready = False
        worker.began = time.monotonic()
        self._selector.register(reading, selectors.EVENT_READ, worker)
        return None

    def _leave(self) -> None:
        """Close what belongs to the supervisor, in a new worker or at the end."""
        self._selector.close()
        os.close(self._own)
        for worker in self._workers:
            if worker.report >= 0:
                os.close(worker.report)

    def _read(self, worker: _Process) -> None:
        """Read the report of a worker, which is complete at its end."""
        data = os.read(worker.report, 65536)
        worker.text += data
        if data:
            return
        self._selector.unregister(worker.report)
        os.close(worker.report)
        worker.report = -1
        if not worker.text:
            return  # It ends without having served.
        worker.is_ready = True
        if self._stop_by is None and not self._is_serving and all(each.is_ready for each in self._workers):
            self._is_serving = True
            self._announce(self._workers[0].text.decode())

    def _reap(self) -> None:
        for worker in self._workers:
            if worker.pid is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Process, code: int) -> None:
        lived = time.monotonic() - worker.began
        worker.pid = None
        if self._stop_by is not None:
            return
        reason = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if not self._is_serving:
            if code <= 0:
                log.error("Worker %d %s before it served", worker.number, reason)
            self._exit_code = max(code, 1)
            self._stop()
            return
        worker.ends = 1 if lived >= _LONG else worker.ends + 1
        pause = _PAUSES[min(worker.ends, len(_PAUSES)) - 1]
        worker.due = time.monotonic() + pause
        log.warning("Worker %d %s; starting it again in %g seconds", worker.number, reason, pause)

    def _stop(self) -> None:
        """Stop the workers: in order at first, at once when called again."""
        if self._stop_by is not None:
            self._send(signal.SIGKILL)
            return
        self._stop_by = time.monotonic() + _STOPPING
        # The workers accept what waits in the queue.
        refuse_handshakes(self._listener)
        self._send(signal.SIGTERM)
        self._listener.close()

    def _send(self, sign: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid is not None:
                os.kill(worker.pid, sign)

    def _patience(self) -> float | None:
        """Return the seconds until something is due."""
        if self._stop_by is not None:
            return max(0.0, self._stop_by - time.monotonic()) + 0.1
        due = [worker.due for worker in self._workers if worker.pid is None]
        return max(0.0, min(due) - time.monotonic()) if due and self._is_serving else None


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yield a socket with a byte for each signal, also when a worker has ended."""
    reading, writing = socket.socketpair()
    for end in (reading, writing):
        end.setblocking(False)
    noted = (*_STOP, signal.SIGCHLD)
    before = {number: signal.signal(number, _note) for number in noted}
    earlier = signal.set_wakeup_fd(writing.fileno())
    me = os.getpid()
    try:
        yield reading
    finally:
        if os.getpid() == me:
            signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()


def _note(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: Python writes the number of the signal into the socket."""


def _report(descriptor: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb") as pipe:
        pipe.write(text.encode())
