"""The real sandbox of the code interpreter in tests."""

import asyncio
from functools import cache

import pytest

from antiphon.tools.code_interpreter.sandboxes.wasi import WasiLimits, WasiSandbox, is_compiled
from antiphon.tools.sandbox import Job

REAL = [pytest.mark.sandbox, pytest.mark.timeout(900)]
"""Marks of tests with the real sandbox; the first one on a machine waits until its runtime is compiled."""


@cache
def compile_sandbox() -> None:
    """Compile the runtime of the sandbox for this machine, unless that is done."""
    if is_compiled():
        return

    async def work() -> None:
        sandbox = WasiSandbox("compile", WasiLimits(disk=2**20, interpreters=1, idle=60))
        try:
            await sandbox.run("compile", Job(code="1", memory=2**28, seconds=800, output=100))
        finally:
            await sandbox.close()

    asyncio.run(work())
