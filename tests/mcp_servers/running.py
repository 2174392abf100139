"""The MCP servers in their own process."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from antiphon.wire.json import JSONObject

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Servers:
    """The running servers; `url` has no slash at its end."""

    url: str

    def log(self, path: str = "/") -> list[JSONObject]:
        """Return the requests below a path so far: `http`, `path`, `rpc`, `headers` and `meta` of each."""
        entries: list[JSONObject] = httpx2.get(f"{self.url}/log", trust_env=False).json()
        return [entry for entry in entries if entry["path"].startswith(path)]

    def asked(self, since: int = 0) -> list[str]:
        """Return the JSON-RPC requests in order, without the first `since` entries of the log."""
        rpcs = [entry["rpc"] for entry in self.log()[since:] if entry["rpc"]]
        return [rpc for rpc in rpcs if not rpc.startswith("notifications/")]

    def expire(self) -> None:
        """End all sessions, as a restarted server does."""
        httpx2.post(f"{self.url}/expire", trust_env=False).raise_for_status()


@contextmanager
def servers(directory: Path, descriptions: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Start the servers; `descriptions` of tools are by name."""
    file = directory / "descriptions.json"
    file.write_text(json.dumps(descriptions or {}), "utf-8")
    command = [sys.executable, "-m", "tests.mcp_servers.http", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield Servers(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()
