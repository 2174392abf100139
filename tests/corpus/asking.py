"""Server processes, and requests of a corpus to them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Upstream, reply

ROOT = Path(__file__).parents[2]

BACKENDS = """
[models.up]
base_url = "{url}"
kind = "openai"
models = ["m", "embed"]

[models.router]
base_url = "{url}"
kind = "other"
reasoning_input = "reasoning_details"
models = ["m"]

[tools.mcp.notes]
command = {python}
args = ["-m", "tests.mcp_servers.stdio"]
env = {{SECRET = "told", PYTHONPATH = {root}}}
"""
"""Settings of a server: a scripted backend under two names, and an MCP server over stdio."""

_ID = re.compile(r"\b([a-z]+)[_-](?:[0-9a-f]{48}|[0-9a-f]{50}|[0-9a-f]{32}|[0-9a-f]{24})\b")
_SHOWN = ("content-type", "idempotent-replayed", "x-ratelimit-limit-requests")
"""Headers of answers that are compared."""
_BACKEND_WORDS = "up: "
"""Beginning of error messages that quote the backend."""


def settings_for(upstream: Upstream) -> str:
    """Return an `antiphon.toml` with the scripted backend and the MCP server."""
    python, root = json.dumps(sys.executable), json.dumps(str(ROOT))
    return BACKENDS.format(url=upstream.base_url, python=python, root=root)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a program with its home in `folder`, without settings of this process."""
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return inherited | {"HOME": str(folder)} | variables


@contextmanager
def serving(folder: Path, *flags: str, **variables: str) -> Iterator[str]:
    """Serve on any free port from `folder`, and yield the base URL.

    Args:
        folder: The working directory of the server; its `antiphon.toml` is in effect.
        flags: Further flags of `antiphon serve`.
        variables: Further environment variables.
    """
    command = [sys.executable, "-m", "antiphon", "serve", "--no-discover", "--port", "0", "--print-url"]
    env = environment(folder, **variables)
    with (
        (folder / "log.txt").open("w") as log,
        subprocess.Popen(
            [*command, *flags], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, (folder / "log.txt").read_text()
            yield url
        finally:
            process.terminate()


class Asker:
    """Client of a server; each request is given as JSON, with the backend's answers to it.

    Args:
        url: The base URL of the server.
        keys: The API keys of the clients, by name.
        upstream: The server's backend, if it has one.
    """

    def __init__(
        self, url: str, keys: Mapping[str, str] | None = None, upstream: Upstream | None = None
    ) -> None:
        self._client = httpx2.Client(base_url=url, trust_env=False, timeout=30)
        self._keys = keys or {}
        self._upstream = upstream

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, question: JSONObject) -> JSONObject:
        """Return the answer: status, headers, body, and the requests that the backend received meanwhile."""
        headers = dict(question.get("headers", {}))
        if "caller" in question:
            headers["Authorization"] = f"Bearer {self._keys[question['caller']]}"
        if self._upstream is not None:
            self._upstream.forget()
            self._upstream.script(*(reply(body) for body in question.get("backend", ())))
        got = self._client.request(
            question["method"], question["path"].lstrip("/"), json=question.get("body"), headers=headers
        )
        answer: JSONObject = {
            "status": got.status_code,
            "headers": {name: got.headers[name] for name in _SHOWN if name in got.headers},
            "body": _body(got),
        }
        if "backend" in question and self._upstream is not None:
            answer["asked"] = [{"path": each.path, "body": each.json} for each in self._upstream.requests]
        return answer


def _body(got: httpx2.Response) -> JSON:
    """Return JSON as it is, a stream as the list of its events, and anything else as text."""
    kind = got.headers.get("content-type", "")
    if kind == "application/json":
        return got.json()
    if not kind.startswith("text/event-stream"):
        return got.text
    lines = (frame.rpartition("data: ")[2] for frame in got.text.removesuffix("\n\n").split("\n\n"))
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def ids_in(value: JSON) -> set[str]:
    """Return all ids of objects anywhere in `value`."""
    return {match.group() for match in _ID.finditer(json.dumps(value))}


def stable(value: JSON, known: Collection[str], since: float) -> JSON:
    """Return `value` without ids and times that differ from run to run.

    Args:
        value: An answer, or a part of one.
        known: The ids that are the same in each run; others become their prefix.
        since: The time from which on times are omitted, in seconds since 1970.
    """
    if isinstance(value, dict):
        return {key: _stable_member(key, each, known, since) for key, each in value.items()}
    if isinstance(value, list):
        return [stable(each, known, since) for each in value]
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, str):
        return _ID.sub(lambda match: match.group() if match.group() in known else f"{match[1]}_new", value)
    return value


def _stable_member(key: str, value: JSON, known: Collection[str], since: float) -> JSON:
    if key.endswith("_at") and isinstance(value, int | float) and value >= since:
        return "now"
    if key in ("error", "last_error") and isinstance(value, dict):
        # The server's own messages may change; the backend's recorded messages may not.
        kept = str(value.get("message")).startswith(_BACKEND_WORDS)
        return {name: each for name, each in value.items() if kept or name != "message"}
    return stable(value, known, since)
