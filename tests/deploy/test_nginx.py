"""Two servers on one PostgreSQL database behind a real nginx, with the configuration of `deploy/`."""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from openai import OpenAI, OpenAIError
from websockets.sync.client import connect

from antiphon.wire.json import JSONObject
from tests.deploy.test_files import DEPLOY
from tests.server.http.proxy import NGINX
from tests.support.postgresql import postgresql_server, schema
from tests.support.upstream import Upstream, chunk, sse

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]
KEY = "sk-test-of-the-deployment"
HEADERS = {"Authorization": f"Bearer {KEY}"}


class Deployment:
    """Two servers and nginx."""

    def __init__(self, folder: Path, database: str, backend: str) -> None:
        self._env = {
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "HOME": str(folder),
            "ANTIPHON_DATABASE": database,
            "ANTIPHON_API_KEY": KEY,
            "ANTIPHON_DISCOVER": "false",
            "OPENAI_BASE_URL": backend,
        }
        self.ports = [free_port(), free_port()]
        self.servers = [self.start(port) for port in self.ports]
        self.port = free_port()
        self._nginx = self._proxy(folder)

    def start(self, port: int) -> "subprocess.Popen[str]":
        """Start a server and return it once it listens."""
        command = [
            sys.executable,
            "-m",
            "antiphon",
            "serve",
            "--port",
            str(port),
            "--print-url",
            "--log-level",
            "warning",
        ]
        server = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        assert server.stdout.readline().strip() == f"http://127.0.0.1:{port}/v1"
        return server

    def restart(self, number: int) -> None:
        """Stop a server in order, and start it again."""
        self._stop(self.servers[number])
        self.servers[number] = self.start(self.ports[number])

    def _proxy(self, folder: Path) -> "subprocess.Popen[bytes]":
        site = (DEPLOY / "nginx.conf").read_text()
        for number, port in enumerate(self.ports, 1):
            site = site.replace(f"antiphon-{number}:8321", f"127.0.0.1:{port}")
        site = site.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        (folder / "site.conf").write_text(site)
        temporary = "".join(
            f"{each}_temp_path {folder}/{each};"
            for each in ("client_body", "fastcgi", "uwsgi", "scgi", "proxy")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
            "events {}\n"
            f"http {{ access_log off; {temporary} include site.conf; }}\n"
        )
        assert NGINX is not None
        command = [NGINX, "-e", f"{folder}/error.log", "-p", str(folder), "-c", str(folder / "nginx.conf")]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr + (folder / "error.log").read_text()
        proxy = subprocess.Popen(command)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return proxy
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise AssertionError("nginx does not listen")

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, JSONObject]:
        """Send a request through nginx, and return the status and the JSON of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, HEADERS | named)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def close(self) -> None:
        """Stop everything."""
        self._nginx.terminate()
        self._nginx.wait(30)
        for server in self.servers:
            self._stop(server)

    @staticmethod
    def _stop(server: "subprocess.Popen[str]") -> None:
        with server:
            server.terminate()
            server.wait(30)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(["m"]) as started:
        yield started


@pytest.fixture(scope="module")
def deployed(upstream: Upstream) -> Iterator[Deployment]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deploy")))
        database = stack.enter_context(schema(stack.enter_context(postgresql_server())))
        deployment = Deployment(folder, database, upstream.base_url)
        stack.callback(deployment.close)
        yield deployment


def test_events_arrive_before_the_stream_ends(deployed: Deployment, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False, end="hang"))
    connection = http.client.HTTPConnection("127.0.0.1", deployed.port, timeout=20)
    body = json.dumps({"model": "openai/m", "input": "Hi", "stream": True})
    connection.request("POST", "/v1/responses", body, HEADERS | {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200
    lines = iter(answer.readline, b"")
    assert any(b'"delta":"Hel"' in line for line in lines)
    answer.close()
    connection.close()


def test_a_websocket_is_opened_through_the_proxy(deployed: Deployment) -> None:
    url = f"ws://127.0.0.1:{deployed.port}/v1/responses"
    with connect(url, additional_headers=HEADERS, open_timeout=20) as socket_:
        socket_.send(json.dumps({"type": "response.create", "model": "antiphon/sample", "input": "Hi"}))
        while (event := json.loads(socket_.recv(timeout=20)))["type"] != "response.completed":
            assert event["type"] != "error", event


def test_a_file_of_100_megabytes_is_uploaded(deployed: Deployment) -> None:
    head = (
        '--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    )
    body = head.encode() + b"a" * 100_000_000 + b"\r\n--x--\r\n"
    status, file = deployed.request("POST", "/v1/files", body, Content_Type="multipart/form-data; boundary=x")
    assert (status, file.get("bytes")) == (200, 100_000_000), file


def test_a_rolling_restart_fails_no_request_of_openais_client(deployed: Deployment) -> None:
    """Check the answers during two restarts.

    A server resets connections that wait when it closes its socket. nginx answers such a POST with 502, as it
    can't know whether the request ran, and OpenAI's client repeats it. The key lets it run once.
    """
    answers: list[str] = []
    stopped = threading.Event()

    def ask() -> None:
        with OpenAI(base_url=f"http://127.0.0.1:{deployed.port}/v1", api_key=KEY, max_retries=2) as client:
            while not stopped.is_set():
                headers = {"Idempotency-Key": uuid.uuid4().hex}
                try:
                    response = client.responses.create(
                        model="antiphon/sample", input="Hi", extra_headers=headers
                    )
                    answers.append(str(response.status))
                except OpenAIError as error:
                    answers.append(repr(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in (0, 1):
        deployed.restart(number)
        begun = len(answers)
        while len(answers) < begun + 20:
            time.sleep(0.05)
    stopped.set()
    for thread in threads:
        thread.join(60)
    assert len(answers) > 40
    assert [answer for answer in answers if answer != "completed"] == []
