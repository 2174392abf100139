"""Servers in processes of their own, over one database, a paced backend and a search service."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from antiphon.store.connect import open_engine
from antiphon.store.runs.tables import run_steps
from antiphon.wire.json import JSONObject
from tests.clients.replies import calls, says
from tests.server.following import BODY
from tests.support.postgresql import free_port
from tests.support.upstream import Answer, Request, Upstream, reply, streaming
from tests.tools.web_search.searching import KEY, RESULT, place

ASK: JSONObject = BODY | {"tools": [{"type": "web_search"}]}
_WORDS = [f"word{number} " for number in range(12)]
ANSWERS = {
    0: calls(("call_0", "web_search", {"query": "first"})),
    1: calls(("call_1", "web_search", {"query": "second"})),
    2: says(*_WORDS),
}
"""The answers to the model calls, by the number of tool results in the request."""

_SERVE = """
from antiphon.cli import main
from antiphon.serving import periodic

periodic._HEARTBEAT, periodic._SILENCE = 0.5, 3.0
main()
"""
"""The command of a server that notices soon that another one has stopped."""


class Backend(Upstream):
    """Backend whose answers follow from the request, as those of a real one, one piece after another."""

    def __init__(self) -> None:
        super().__init__()
        self.pause = 0.01
        """Seconds between two pieces."""
        self.rounds: Counter[int] = Counter()
        """How often each call was made."""
        self.open = 0
        """Number of answers that are being sent."""

    def _next(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.models_answer
        number = sum(message["role"] == "tool" for message in request.json["messages"])
        if "tools" not in request.json:
            number = 2
        self.rounds[number] += 1
        answer = ANSWERS[number]
        return streaming(answer) if request.json.get("stream") else answer

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if len(answer.pieces) > 1:
            return await self._paced(answer, writer)
        if answer is not self.models_answer:
            await asyncio.sleep(5 * self.pause)
        return await super()._answer(answer, reader, writer)

    async def _paced(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        self.open += 1
        try:
            head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            writer.write(head.encode())
            for piece in answer.pieces:
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
                await asyncio.sleep(self.pause)
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except ConnectionError:
            return False
        finally:
            self.open -= 1
        return True


class Server(NamedTuple):
    """A server that runs."""

    process: "subprocess.Popen[str]"
    url: str


class Processes:
    """Two processes that serve one database.

    Args:
        folder: A new folder for the settings.
        database: The path or URL of the database.
        backend: The backend.
        search: The search service.
    """

    def __init__(self, folder: Path, database: str, backend: Upstream, search: Upstream) -> None:
        self.database = database
        self.variables: dict[str, str] = {}
        """More variables of the processes."""
        self._folder = folder
        self._ports = [free_port(), free_port()]
        self._running: dict[int, Server] = {}
        self._starting: dict[int, subprocess.Popen[str]] = {}
        search.script(reply({"results": [RESULT]}))
        (folder / "antiphon.toml").write_text(
            f'database = "{database}"\ndiscover = false\n'
            f'[models.up]\nbase_url = "{backend.base_url}"\nkind = "openai"\napi_key = "none"\n'
            f'[tools.web_search]\nprovider = "tavily"\nbase_url = "{place(search)}"\napi_key = "{KEY}"\n'
        )

    def pair(self) -> tuple[Server, Server]:
        """Return both servers, which run."""
        for index in (0, 1):  # They start at the same time.
            self._begin(index)
        return self.server(0), self.server(1)

    def server(self, index: int) -> Server:
        """Return the first (0) or second (1) server, which starts unless it runs."""
        self._begin(index)
        if index not in self._running:
            process = self._starting.pop(index)
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            self._running[index] = Server(process, url)
            assert url, self._log(index).read_text()
        return self._running[index]

    def _begin(self, index: int) -> None:
        """Start a server unless it runs or is starting."""
        running = self._running.get(index)
        if index not in self._starting and (running is None or running.process.poll() is not None):
            self.kill(index)
            self._starting[index] = self._start(index)

    def kill(self, index: int) -> None:
        """Kill a server if it runs."""
        if index in self._running:
            process = self._running.pop(index).process
        elif index in self._starting:
            process = self._starting.pop(index)
        else:
            return
        process.kill()
        process.communicate()

    def _log(self, index: int) -> Path:
        return self._folder / f"{self._ports[index]}.log"

    def _start(self, index: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", _SERVE, "serve", "--port", str(self._ports[index]), "--print-url"]
        env = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "PYTHONPATH": os.pathsep.join(sys.path)}
        env |= self.variables
        with self._log(index).open("a") as log:
            return subprocess.Popen(
                command, cwd=self._folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def finished_calls(self, response_id: str) -> set[int]:
        """Return the numbers of the model calls that the database has as finished."""
        engine = open_engine(self.database).reading
        with engine.connect() as connection:
            names = select(run_steps.c.name).where(run_steps.c.run_id == response_id)
            found = {
                int(name.removeprefix("model:"))
                for name in connection.execute(names).scalars()
                if name.startswith("model:")
            }
        engine.dispose()
        return found

    def close(self) -> None:
        """Kill the servers."""
        for index in (0, 1):
            self.kill(index)


@contextmanager
def processes(folder: Path, database: str) -> Iterator[tuple[Processes, Backend, Upstream]]:
    """Yield the processes, the backend and the search service."""
    with Backend() as backend, Upstream() as search:
        opened = Processes(folder, database, backend, search)
        try:
            yield opened, backend, search
        finally:
            opened.close()
