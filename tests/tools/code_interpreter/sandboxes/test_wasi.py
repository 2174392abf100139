"""Interpreters of containers: state, files, charts, and their ends."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from antiphon.tools.code_interpreter.sandboxes.wasi import WasiLimits, WasiSandbox, library_folder
from antiphon.tools.sandbox import SandboxFailed
from tests.support.sandbox import REAL
from tests.tools.code_interpreter.sandboxes.running import (
    DISK,
    LIMITS,
    exists,
    found,
    job,
    run,
    with_sandbox,
)

pytestmark = REAL


def test_a_run_returns_what_it_printed_and_its_last_value() -> None:
    outcome = run("print('P1')\n1+1\nprint('P2')\n2+2\n3+3")
    assert (outcome.logs, outcome.result, outcome.error) == ("P1\nP2\n", "6", None)


def test_an_exception_is_a_traceback_and_no_failure() -> None:
    outcome = run("print('before')\n1/0")
    assert outcome.error is None
    assert outcome.logs.startswith("before\nTraceback")
    assert outcome.logs.endswith("ZeroDivisionError: division by zero\n")


def test_variables_and_files_remain_between_runs() -> None:
    async def work(sandbox: WasiSandbox) -> None:
        assert await sandbox.files("c") is None
        first = await sandbox.run("c", job("x = 5\nopen('a.txt', 'w').write('hello')", put={"in.csv": b"1"}))
        assert dict(first.files) == {"a.txt": b"hello"}
        files = await sandbox.files("c")
        assert files is not None
        assert sorted(files) == ["a.txt", "in.csv"]
        second = await sandbox.run("c", job("import os\nos.remove('a.txt')\nx, open('in.csv').read()"))
        assert (second.result, second.removed) == ("(5, '1')", ["a.txt"])
        other = await sandbox.run("other", job("import os\n'x' in globals(), os.listdir()"))
        assert other.result == "(False, [])"

    with_sandbox(work)


def test_tables_and_charts_work() -> None:
    code = (
        "import pandas as pd, matplotlib.pyplot as plt\n"
        "frame = pd.DataFrame({'a': [1, 2, 3]})\n"
        "frame.to_excel('t.xlsx')\n"
        "plt.plot(frame.a)\n"
        "plt.show()\n"
        "plt.bar([1], [2])\n"
        "int(frame.a.sum())"
    )
    outcome = run(code, seconds=120)
    assert (outcome.error, outcome.result) == (None, "6")
    assert [image[:4] for image in outcome.images] == [b"\x89PNG"] * 2, "the second is shown at the end"
    assert outcome.files["t.xlsx"].startswith(b"PK")


def test_an_interpreter_without_variables_follows_one_that_was_ended() -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("c", job("x = 1"))
        ended = await sandbox.run("c", job("open('kept.txt', 'w').write('k')\nwhile True: pass", seconds=0.5))
        assert ended.error is not None
        assert dict(ended.files) == {"kept.txt": b"k"}
        assert await sandbox.files("c") is None
        assert "NameError" in (await sandbox.run("c", job("x"))).logs

    with_sandbox(work)


def test_a_killed_interpreter_is_a_failed_call(folder: Path) -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("c", job("x = 1"))
        code = "open('begun', 'w').close()\nwhile True: pass"
        running = asyncio.create_task(sandbox.run("c", job(code)))
        [process] = sandbox._processes.values()
        await exists(folder, "begun")
        os.kill(process.process.pid, signal.SIGKILL)
        with pytest.raises(SandboxFailed, match="ended during the call"):
            await running
        await process.process.wait()  # Until then, its socket can still accept a connection.
        assert (await sandbox.run("c", job("1+1"))).result == "2"

    with_sandbox(work)


def test_cancelling_a_call_stops_its_code(folder: Path) -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("c", job("1"))
        [process] = sandbox._processes.values()
        code = "open('begun', 'w').close()\nwhile True: pass"
        running = asyncio.create_task(sandbox.run("c", job(code, seconds=600)))
        await exists(folder, "begun")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(20):
            await process.process.wait()

    with_sandbox(work)


def test_the_interpreter_that_is_idle_for_longest_leaves_for_another() -> None:
    async def work(sandbox: WasiSandbox) -> None:
        for name in ("a", "b", "c"):
            await sandbox.run(name, job("x = 1"))
        assert [*sandbox._processes] == ["b", "c"]
        assert await sandbox.files("a") is None
        assert await sandbox.files("b") is not None

    with_sandbox(work)


def test_more_runs_than_interpreters_fail(folder: Path) -> None:
    async def work(sandbox: WasiSandbox) -> None:
        code = "open('begun', 'w').close()\nwhile True: pass"
        busy = [asyncio.create_task(sandbox.run(name, job(code, seconds=3))) for name in ("a", "b")]
        await exists(folder, "begun", 2)
        with pytest.raises(SandboxFailed, match="All 2 interpreters of this server are in use"):
            await sandbox.run("c", job("1"))
        await asyncio.gather(*busy)

    with_sandbox(work)


def test_another_worker_finds_the_interpreter_of_a_container() -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("c", job("x = 'kept'"))
        other = WasiSandbox("test", LIMITS)
        assert (await other.run("c", job("x"))).result == "'kept'"
        assert other._processes == {}
        stranger = WasiSandbox("another installation", LIMITS)
        assert await stranger.files("c") is None

    with_sandbox(work)


def test_an_idle_interpreter_ends() -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("c", job("1"))
        [process] = sandbox._processes.values()
        async with asyncio.timeout(20):
            await process.process.wait()
        assert await sandbox.files("c") is None

    with_sandbox(work, WasiLimits(disk=DISK, interpreters=2, idle=0.2))


def test_interpreters_end_with_their_server() -> None:
    async def work() -> int:
        sandbox = WasiSandbox("test", LIMITS)
        await sandbox.run("c", job("1"))
        [process] = sandbox._processes.values()
        stdin = process.process.stdin
        assert stdin is not None
        stdin.close()  # As when the server is killed.
        async with asyncio.timeout(20):
            return await process.process.wait()

    assert asyncio.run(work()) == 0


def test_folders_of_killed_interpreters_are_removed(folder: Path) -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("a", job("open('f', 'w').write('1')"))
        [process] = sandbox._processes.values()
        os.kill(process.process.pid, signal.SIGKILL)
        await process.process.wait()
        assert found(folder, "f") != []
        sandbox._processes.clear()
        await sandbox.run("b", job("1"))
        assert found(folder, "f") == []

    with_sandbox(work)


def test_a_folder_of_another_user_is_refused(folder: Path) -> None:
    (folder / f"antiphon-code-{os.getuid()}").mkdir(mode=0o755)
    with pytest.raises(SandboxFailed, match="belongs to another user"):
        run("1")


def test_the_package_is_found_without_importing_it() -> None:
    assert library_folder() is not None
