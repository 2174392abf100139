"""The sandbox against code that attacks it: every limit ends the code, and nothing ends the server."""

import asyncio
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from antiphon.tools.code_interpreter.sandboxes.wasi import WasiSandbox
from tests.support.sandbox import REAL
from tests.support.thorough import often
from tests.tools.code_interpreter.sandboxes.running import (
    DISK,
    OUTPUT,
    job,
    run,
    with_sandbox,
)

pytestmark = REAL


@pytest.mark.parametrize(
    "code", ["while True: pass", "import time\nwhile True: time.sleep(100)", "sum(range(10**12))", "9**9**9"]
)
def test_T18_an_endless_loop_ends_with_the_time(code: str) -> None:
    began = time.monotonic()
    outcome = run(code, seconds=0.5)
    assert outcome.error == "The code took longer than 0.5 seconds."
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "code",
    ["x = []\nwhile True: x.append(bytearray(10**6))", "bytearray(10**9)", "x = 'a'\nwhile True: x += x"],
)
def test_a_memory_bomb_is_a_memory_error(code: str) -> None:
    outcome = run(code)
    assert (outcome.error, "MemoryError" in outcome.logs) == (None, True), outcome


def test_memory_is_limited_for_all_runs_of_an_interpreter() -> None:
    async def work(sandbox: WasiSandbox) -> None:
        code = "kept = globals().get('kept', []); kept.append(bytearray(100 * 2**20))"
        logs = [(await sandbox.run("c", job(code))).logs for _ in range(4)]
        assert "MemoryError" in logs[-1]
        assert logs[0] == ""

    with_sandbox(work)


@pytest.mark.parametrize(
    "code",
    [
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['sh', '-c', ':(){ :|:& };:'])",
        "import os\nos.system('id')",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "import threading\nwhile True: threading.Thread(target=print).start()",
    ],
)
def test_T18_a_fork_bomb_has_no_processes_and_no_threads(code: str) -> None:
    outcome = run(code)
    assert outcome.error is None
    assert outcome.logs.splitlines()[-1].split(":")[0] in (
        "AttributeError",
        "OSError",
        "RuntimeError",
        "ModuleNotFoundError",
        "ImportError",
    )


@pytest.mark.parametrize(
    "code",
    ["while True: print('x' * 10**6)", "import sys\nwhile True: sys.stderr.write('x' * 10**6)"],
)
def test_T18_output_without_end_is_cut(code: str) -> None:
    outcome = run(code, seconds=1)
    assert outcome.error == "The code took longer than 1 seconds."
    assert len(outcome.logs) < OUTPUT + 100


def test_T18_ten_gigabytes_of_output_are_cut() -> None:
    times = often(100, 1000)
    outcome = run(f"text = 'x' * 10**7\nfor _ in range({times}): print(text)", seconds=600)
    assert outcome.error is None
    assert outcome.logs == "x" * OUTPUT + f"\n[The output was longer than {OUTPUT} bytes.]"


@pytest.mark.parametrize(
    "code",
    [
        "open('big', 'wb').write(b'x' * 10**8)",
        "i = 0\nwhile True:\n  open(f'{i}', 'wb').write(b'x' * 10**6)\n  i += 1",
        "i = 0\nwhile True:\n  open(f'/tmp/{i}', 'wb').write(b'x' * 10**6)\n  i += 1",
        "i = 0\nwhile True:\n  open(f'{i}', 'wb').close()\n  i += 1",
        "open('sparse', 'wb').truncate(10**12)",
        "import os\nkept = []\nwhile True:\n  f = open('x', 'wb')\n  os.unlink('x')\n  kept.append(f)\n"
        "  f.write(b'x' * 10**6)\n  f.flush()",
        "import zipfile, io\nzipfile.ZipFile('bomb.zip').extractall()",
    ],
    ids=["one", "many", "temporary", "empty", "sparse", "deleted but open", "zip bomb"],
)
def test_the_disk_is_limited(code: str, folder: Path) -> None:
    most = 0

    def look() -> None:
        nonlocal most
        while not ended.wait(0.02):
            most = max(most, size_of(folder))

    ended = threading.Event()
    thread = threading.Thread(target=look)
    thread.start()
    try:
        outcome = run(code, put={"bomb.zip": zip_bomb()})
    finally:
        ended.set()
        thread.join()
    if outcome.error is None:
        assert "too large" in outcome.logs
    else:
        assert outcome.error == f"The code wrote more than {DISK} bytes, or more than 1000 files."
        assert dict(outcome.files) == {}
    assert most < 25 * DISK, "the disk is looked at every 50 ms"


def size_of(folder: Path) -> int:
    """Return the bytes of all files, some of which are being removed."""
    size = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(where, name)).st_size
    return size


def zip_bomb() -> bytes:
    """Return a small archive of 100 files with a megabyte each."""
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(100):
            archive.writestr(f"{number}.bin", bytes(10**6))
    assert len(made.getvalue()) < 200_000
    return made.getvalue()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../etc/passwd", "/mnt/data/../../etc/passwd", "/proc/self/environ", "/mnt/x", "/x"],
)
@pytest.mark.parametrize("mode", ["r", "w"])
def test_S26_no_file_of_the_host_can_be_opened(path: str, mode: str) -> None:
    outcome = run(f"open({path!r}, {mode!r})")
    assert outcome.logs.splitlines()[-1].split(":")[0] in ("FileNotFoundError", "PermissionError")


def test_S26_links_lead_nowhere(folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("secret")
    code = (
        "import os\n"
        "tried = []\n"
        "for target in ['/etc/passwd', '../../../secret', '../secret', '../../secret', '..', '../tmp']:\n"
        "  for link in ['link', 'd/link']:\n"
        "    os.makedirs('d', exist_ok=True)\n"
        "    try:\n"
        "      os.symlink(target, link)\n"
        "    except OSError:\n"
        "      continue\n"
        "    for path in [link, link + '/secret', link + '/../secret']:\n"
        "      try:\n"
        "        tried.append(open(path).read())\n"
        "      except OSError:\n"
        "        pass\n"
        "    os.unlink(link)\n"
        "os.symlink('../../../secret', 'out')\n"
        "os.symlink('..', 'up')\n"
        "os.symlink('/tmp', 'tmp') if False else None\n"
        "tried"
    )

    async def work(sandbox: WasiSandbox) -> None:
        outcome = await sandbox.run("c", job(code))
        assert outcome.result == "[]", outcome
        assert dict(outcome.files) == {}, "no link is a file"
        # A file that the client adds under the same name replaces the link; one below it is refused.
        put = {"out": b"mine", "up/evil": b"evil"}
        outcome = await sandbox.run("c", job("open('out').read()", put=put))
        assert outcome.result == "'mine'"
        assert sorted(await sandbox.files("c") or ()) == ["out"]

    with_sandbox(work)
    assert secret.read_text() == "secret"
    secret.unlink()
    assert list(folder.rglob("evil")) == []


def test_S26_the_environment_of_the_server_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_API_KEY", "sk-secret")

    async def work(sandbox: WasiSandbox) -> None:
        outcome = await sandbox.run("c", job("import os\ndict(os.environ)"))
        assert "secret" not in str(outcome.result)
        # Not even the process that runs the guest has it.
        [process] = sandbox._processes.values()
        environment = await asyncio.to_thread(Path(f"/proc/{process.process.pid}/environ").read_bytes)
        assert b"sk-secret" not in environment

    with_sandbox(work)


@pytest.mark.parametrize(
    "code",
    [
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/mnt/data/s')",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/', timeout=2)",
        "import socket\nsocket.getaddrinfo('example.com', 80)",
    ],
)
def test_S26_there_is_no_network(code: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = run(code.replace("{port}", str(server.getsockname()[1])))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert outcome.error is None
    assert "Error" in outcome.logs


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nf(0)",
        "import os\nos._exit(3)",
        "import os\nos.abort()",
        "exit()",
        "import ctypes\nctypes.string_at(0)",
        "import sys, antiphon_guest\nantiphon_guest.finish = None\n1",
        "import os\nos.makedirs('/tmp/.charts/x')\nos.makedirs('/tmp/.result')\n1",
        "raise SystemExit(5)",
    ],
)
def test_code_that_breaks_its_interpreter_breaks_nothing_else(code: str) -> None:
    async def work(sandbox: WasiSandbox) -> None:
        await sandbox.run("c", job(code))
        assert (await sandbox.run("c", job("print(1+1)"))).logs == "2\n"

    with_sandbox(work)
