"""Several workers on one port: their start, their ends and their stop."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.sockets import Socket

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tests find the workers in /proc")

ASK = json.dumps({"model": "antiphon/sample", "input": "Hi", "store": False}).encode()


class Command:
    """`antiphon serve --workers 2` in an empty folder."""

    def __init__(self, folder: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "antiphon", "serve", "--no-discover", "--port", "0", "--print-url"]
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
        self.folder = folder
        self.process = subprocess.Popen(
            [*command, "--workers", "2", *flags],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = ""

    def wait_for_url(self) -> None:
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def workers(self) -> set[int]:
        """Return the process IDs of the workers."""
        pid = self.process.pid
        return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def status(self) -> int:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/responses", ASK, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)

    def servers(self) -> set[str]:
        """Return the servers that the database knows, without host and port."""
        database = self.folder / ".local/share/antiphon/antiphon.db"
        connection = sqlite3.connect(database)
        try:
            found = connection.execute("SELECT id FROM servers").fetchall()
        finally:
            connection.close()
        return {name.partition("#")[0].rpartition(":")[2].partition("/")[2] for (name,) in found}

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and the log."""
        out, err = self.process.communicate(timeout=30)
        assert out == ""
        return self.process.returncode, err


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Return a function that starts a command; the test kills what remains."""
    started: list[Command] = []

    def start(*flags: str) -> Command:
        started.append(Command(tmp_path, *flags))
        return started[-1]

    yield start
    for command in started:
        with command.process as process:
            process.kill()


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_workers_answer_on_one_port_and_a_dead_one_is_replaced(serve: Callable[..., Command]) -> None:
    command = serve()
    command.wait_for_url()
    before = command.workers()
    assert len(before) == 2
    assert command.servers() == {"", "2"}
    killed = max(before)
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(command.workers() - before) == 1)
    assert [command.status() for _ in range(4)] == [200] * 4
    command.process.send_signal(signal.SIGTERM)
    code, log = command.end()
    assert code == 0
    assert log.count("was killed by SIGKILL; starting it again") == 1
    assert "Traceback" not in log


def test_lanes_at_all_workers_continue_each_others_responses(serve: Callable[..., Command]) -> None:
    command = serve()
    command.wait_for_url()
    lanes = ("a", "b", None)

    def answers(socket: Socket, lane: str | None, **body: JSON) -> JSONObject:
        named: JSONObject = {} if lane is None else {"stream_id": lane}
        socket.create(model="antiphon/sample", **named, **body)
        end = socket.events()[-1]
        assert (end["type"], end.get("stream_id")) == ("response.completed", lane)
        response: JSONObject = end["response"]
        return response

    with ExitStack() as stack:
        sockets: list[Socket] = []
        for stopped in command.workers():  # The other one accepts the connections.
            os.kill(stopped, signal.SIGSTOP)
            sockets += [stack.enter_context(Socket(command.url)) for _ in range(3)]
            os.kill(stopped, signal.SIGCONT)
        stored = [answers(socket, lane)["id"] for socket in sockets for lane in lanes]
        unstored = [answers(socket, "c", store=False)["id"] for socket in sockets]
        for number, socket in enumerate(sockets):
            for place, previous in enumerate(stored):
                continued = answers(socket, lanes[place % 3], previous_response_id=previous, store=False)
                assert continued["previous_response_id"] == previous
            assert answers(socket, "c", previous_response_id=unstored[number], store=False)
            error = socket.error(model="antiphon/sample", previous_response_id=unstored[number - 1])
            assert error["code"] == "previous_response_not_found"


def test_connections_outlive_the_worker_that_would_have_accepted_them(serve: Callable[..., Command]) -> None:
    command = serve()
    command.wait_for_url()
    before = command.workers()
    for worker in before:  # Nobody accepts the connections now.
        os.kill(worker, signal.SIGSTOP)
    host, port = command.url.split("/")[2].split(":")
    clients = [socket.create_connection((host, int(port)), 30) for _ in range(20)]
    head = f"POST /v1/responses HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
    for client in clients:
        client.sendall(f"{head}connection: close\r\ncontent-length: {len(ASK)}\r\n\r\n".encode() + ASK)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(command.workers() - before) == 2)
    answers = []
    for client in clients:
        with client:
            answers.append(client.recv(15))
    assert answers == [b"HTTP/1.1 200 OK"] * 20


@pytest.mark.parametrize(("stop", "again"), [(signal.SIGINT, None), (signal.SIGTERM, signal.SIGTERM)])
def test_workers_stop_with_the_command(
    serve: Callable[..., Command], stop: signal.Signals, again: signal.Signals | None
) -> None:
    command = serve()
    command.wait_for_url()
    workers = command.workers()
    if again is not None:
        for worker in workers:  # They can't stop in order.
            os.kill(worker, signal.SIGSTOP)
    command.process.send_signal(stop)
    if again is not None:
        until(lambda: not _listens(command.url))
        command.process.send_signal(again)
    code, log = command.end()
    assert (code, "Traceback" in log) == (0, False)
    if again is None:
        assert command.servers() == set()
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def _listens(url: str) -> bool:
    """Return whether handshakes begin; a stopping command drops them."""
    host, port = url.split("/")[2].split(":")
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((host, int(port))) == 0


def test_workers_end_when_their_supervisor_is_killed(serve: Callable[..., Command]) -> None:
    command = serve()
    command.wait_for_url()
    workers = command.workers()
    command.process.kill()
    until(lambda: not any(Path(f"/proc/{worker}/exe").exists() for worker in workers))


def test_a_worker_that_cannot_start_ends_the_command_with_its_error(
    serve: Callable[..., Command], tmp_path: Path
) -> None:
    (tmp_path / "broken.db").write_text("This is no database, but a text that is long enough. " * 20)
    command = serve("--database", "broken.db")
    code, log = command.end()
    assert code == 1
    assert log == (
        f"antiphon: {tmp_path}/broken.db: The database is not an SQLite database (or it is encrypted).\n"
    )
