"""A server that is frozen in the middle of a write, while it holds the lock of an SQLite file."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from antiphon.errors import StoreUnavailable
from antiphon.store import Store
from tests.store.conftest import Run
from tests.store.samples import ME, respond

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGSTOP"),
]

_FREEZE = """
import asyncio, signal, sys, threading
from sqlalchemy import text
from antiphon.store import Store

def write(connection):
    connection.execute(text("INSERT INTO secrets (name, value) VALUES ('frozen', 'written')"))
    print("frozen", flush=True)
    # To this thread: a signal to the process stops another thread first, and this one could commit meanwhile.
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

async def main():
    store = await Store.open(sys.argv[1])
    await store._database.write(write)
    await store.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("antiphon.store.connect._PATIENCE", 0.2)
    return str(tmp_path / "state.db")


@pytest.fixture
def store(path: str, run: Run) -> Iterator[Store]:
    opened = run(Store.open(path))
    yield opened
    run(opened.close())


@contextmanager
def frozen_server(path: str) -> Iterator["subprocess.Popen[str]"]:
    """Yield a server that is frozen in a write; it is killed at the end."""
    command = [sys.executable, "-c", _FREEZE, path]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "frozen\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_writes_fail_until_the_frozen_server_wakes_up_or_is_killed(
    path: str, store: Store, run: Run, end: signal.Signals
) -> None:
    async def while_frozen() -> None:
        with pytest.raises(StoreUnavailable, match="is locked by another process for too long"):
            await store.servers.heartbeat()
        with pytest.raises(StoreUnavailable, match="is locked by another process for too long"):
            await respond(store, "resp_2", ["c"], ["d"])
        found = await store.responses.get(ME, "resp_1")  # Readers don't wait for writers.
        assert found is not None

    async def afterwards() -> str:
        await respond(store, "resp_3", ["e"], ["f"])
        await store.servers.recover(20)
        return await store.secrets.find_or_keep("frozen", "new")

    run(respond(store, "resp_1", ["a"], ["b"]))
    with frozen_server(path) as process:
        run(while_frozen())
        process.send_signal(end)
        process.wait(20)
    # A killed server leaves nothing of its transaction.
    assert run(afterwards()) == ("written" if end == signal.SIGCONT else "new")
