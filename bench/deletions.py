"""Creation of responses while the server removes much in the background.

    python -m bench.deletions [--rows 100000] [--postgresql] [--json FILE]

One client creates a response every 20 ms, first on an idle server, then while the server removes the chunks
of a vector store, the items of a conversation and expired idempotency keys. The goal: during a deletion, the
slowest creation takes under 100 ms more than on the idle server. The client measures from the request until
the complete response, so the figures include its own noise.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import text

from antiphon.store.connect import open_engine
from antiphon.store.store import Store
from bench import machine, samples
from bench.client import percentile
from bench.search import postgresql
from bench.servers import OTHER_CORES, antiphon, stub
from bench.table import Table

_GAP = 0.02
"""Seconds between two creations."""
_IDLE = 5.0
"""Seconds of measurement without a deletion."""
_CREATE = json.dumps({"model": samples.MODEL, "input": "Go."}).encode()


class Client:
    """A client with one connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def send(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send a request, and return the body of its response.

        Raises:
            SystemExit: The status isn't 200.
        """
        self._connection.request(method, f"/v1{path}", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status}: {said[:300]!r}")
        return said


def created(client: Client, is_over: Callable[[], bool]) -> list[float]:
    """Create responses until `is_over`, and return the time of each creation in seconds."""
    times: list[float] = []
    while not times or not is_over():
        began = time.perf_counter()
        client.send("POST", "/responses", _CREATE)
        times.append(time.perf_counter() - began)
        time.sleep(_GAP)
    return times


def figures(times: list[float]) -> dict[str, float]:
    """Return the figures of these creations."""
    return {
        "p50 ms": percentile(times, 0.5) * 1000,
        "p99 ms": percentile(times, 0.99) * 1000,
        "slowest ms": max(times) * 1000,
    }


class Watcher:
    """A reader of the server's database."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url).reading
        self._next = 0.0

    def is_empty(self, table: str) -> bool:
        """Return whether the table has no rows; look twice per second, and return False in between."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + 0.5
        with self._engine.connect() as connection:
            return not connection.execute(text(f"SELECT EXISTS (SELECT 1 FROM {table})")).scalar_one()


async def filled(url: str, rows: int) -> None:
    """Fill the database."""
    store = await Store.open(url)
    await samples.vector_store(store, "vs_bench")
    await samples.chunks(store, "vs_bench", 0, rows)
    await samples.conversation(store, "conv_bench", rows)
    await store.close()


async def with_expired_keys(url: str, rows: int) -> None:
    """Store expired idempotency keys; the next server deletes them when it starts."""
    store = await Store.open(url)
    await samples.expired_keys(store, rows)
    await store.close()


def measured(
    table: Table, name: str, client: Client, begin: Callable[[], object], is_over: Callable[[], bool]
) -> None:
    """Measure creations during a deletion, and add a row."""
    began = time.monotonic()
    begin()
    answered = time.monotonic() - began
    times = created(client, is_over)
    ends = {"request ms": answered * 1000, "deletion s": time.monotonic() - began}
    table.add("creation during a deletion", name, figures(times) | ends)


def run(table: Table, url: str, stub_port: int, folder: str, rows: int) -> None:
    """Add the rows of one database."""
    kind = url.partition(":")[0]
    asyncio.run(filled(url, rows))
    watcher = Watcher(url)
    with antiphon(stub_port, folder, database=url) as server:
        client = Client(server.port)
        until = time.monotonic() + _IDLE
        table.add(
            "creation on an idle server", kind, figures(created(client, lambda: time.monotonic() > until))
        )
        for name, path in (
            (f"{rows:,} chunks", "/vector_stores/vs_bench"),
            (f"{rows:,} items", "/conversations/conv_bench"),
        ):
            measured(
                table,
                f"{kind}, {name}",
                client,
                lambda at=path: client.send("DELETE", at),  # type: ignore[misc]
                lambda: watcher.is_empty("deletions"),
            )
    asyncio.run(with_expired_keys(url, rows))
    with antiphon(stub_port, folder, database=url) as server:
        client = Client(server.port)
        name = f"{kind}, {rows:,} expired keys"
        measured(table, name, client, lambda: None, lambda: watcher.is_empty("idempotency_keys"))


@contextmanager
def databases(folder: str, also_postgresql: bool) -> Iterator[list[str]]:
    """Yield the URLs of new databases."""
    with ExitStack() as stack:
        urls = [f"sqlite:///{folder}/bench.db"]
        if also_postgresql:
            urls.append(stack.enter_context(postgresql(None)))
        yield urls


def main() -> None:
    """Print a row per deletion."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CORES)
    table = Table()
    command = f"python -m bench.deletions --rows {options.rows}{' --postgresql' * options.postgresql}"
    about, others = machine.about(command), machine.OtherLoad()
    with (
        stub() as port,
        tempfile.TemporaryDirectory() as folder,
        databases(folder, options.postgresql) as urls,
    ):
        for url in urls:
            run(table, url, port, folder, options.rows)
    about.other_load = others.share()
    print(f"load of other processes: {about.other_load:.0%}")
    if options.json is not None:
        machine.write(options.json, about, table)


if __name__ == "__main__":
    main()
