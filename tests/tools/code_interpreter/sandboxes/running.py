"""The real sandbox with small limits."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from antiphon.tools.code_interpreter.sandboxes.wasi import WasiLimits, WasiSandbox
from antiphon.tools.sandbox import Job, Outcome

T = TypeVar("T")
Work = Callable[[WasiSandbox], Coroutine[object, object, T]]

DISK = 4 * 2**20
MEMORY = 256 * 2**20
OUTPUT = 5000
LIMITS = WasiLimits(disk=DISK, interpreters=2, idle=60)


async def exists(folder: Path, name: str, times: int = 1) -> None:
    """Wait until code has made a file."""
    while len(await asyncio.to_thread(found, folder, name)) < times:
        pass


def found(folder: Path, name: str) -> list[Path]:
    """Return the files of a name; some folders are being removed."""
    return [Path(where, name) for where, _, names in os.walk(folder) if name in names]


def with_sandbox(work: Work[T], limits: WasiLimits = LIMITS) -> T:
    async def run() -> T:
        sandbox = WasiSandbox("test", limits)
        try:
            return await work(sandbox)
        finally:
            await sandbox.close()

    return asyncio.run(run())


def job(code: str, *, seconds: float = 30.0, put: dict[str, bytes] | None = None) -> Job:
    return Job(code=code, put=put or {}, memory=MEMORY, seconds=seconds, output=OUTPUT)


def run(code: str, *, seconds: float = 30.0, put: dict[str, bytes] | None = None) -> Outcome:
    """Run code in a new interpreter."""
    return with_sandbox(lambda sandbox: sandbox.run("c", job(code, seconds=seconds, put=put)))
