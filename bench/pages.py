"""CPU time and size of the list of responses in the browser, with its filters and its search.

    python -m bench.pages [--rows 100000] [--times 30]

The server has the responses of one owner, as in `bench.log`. Each address is requested some times in turn.
The CPU time is the server's, with the rendering of the page and with SQLite.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from antiphon.store import Store
from bench import log
from bench.servers import Process, antiphon, stub
from bench.table import Table

_OWNER = "owner0"
_FILTERS: dict[str, dict[str, str]] = {
    "list": {},
    "model": {"model": "up/m1"},
    "rare model": {"model": "up/rare"},
    "errors": {"errors": "1"},
    "rare tool": {"tool": "rare_tool"},
    "frequent words": {"q": "ferry harbor"},
    "rare word": {"q": "zeppelin"},
    "unknown word": {"q": "unheard"},
    "beginning of a word": {"q": "zep"},
}


async def _filled(path: str, rows: int) -> None:
    store = await Store.open(path)
    await log.fill(store, rows, owners=1)
    await store.close()


def _key(path: str) -> str:
    """Return a new API key of the owner."""
    command = [sys.executable, "-m", "antiphon", "keys", "create", "bench", "--owner", _OWNER]
    found = subprocess.run([*command, "--database", path], check=True, capture_output=True, text=True)
    return found.stdout.split()[-1]


def _measured(server: Process, path: str, key: str, times: int) -> dict[str, float]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        headers={"Authorization": f"Bearer {key}", "Accept": "text/html"},
    )

    def get() -> int:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return len(answer.read())

    size = get()
    cpu, wall = server.cpu(), time.perf_counter()
    for _ in range(times):
        get()
    return {
        "CPU ms": (server.cpu() - cpu) / times * 1000,
        "wall ms": (time.perf_counter() - wall) / times * 1000,
        "bytes": float(size),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=30)
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as folder, stub() as backend:
        path = str(Path(folder) / "pages.db")
        asyncio.run(_filled(path, options.rows))
        key = _key(path)
        with antiphon(backend, folder, database=path) as server:
            for name, given in _FILTERS.items():
                address = f"/viewer/responses?{urlencode(given)}"
                table.add(f"{options.rows} responses", name, _measured(server, address, key, options.times))


if __name__ == "__main__":
    main()
