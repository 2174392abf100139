"""Cost of each operation with few and with many stored rows.

    python -m bench.growth [--sizes 1000,100000] [--postgresql] [--json FILE] [--page]

For each size, the program fills a new database with so many responses, a tenth as many chunks in a vector
store, a hundredth as many files, and a conversation with a hundredth as many items. It then sends requests of
each kind one after another; the sizes take turns. `--sizes 1000,100000,1000000` needs 12 GB per database and
up to an hour more. With `--page`, the tables replace those of docs/performance.md.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import text

from antiphon.store import Store
from antiphon.store.connect import open_engine
from bench import machine, samples
from bench.deletions import Client
from bench.machine import About
from bench.search import postgresql
from bench.servers import OTHER_CORES, antiphon, cpu_of, stub
from bench.table import Table, short

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
SECTION = Path(__file__).parent / "growth.md"
"""The section of the page, which `bench.page` includes."""

REQUESTS = 50
"""The requests of each kind."""
_STEP = 7919
"""The distance between the numbers of two requested responses; it is prime."""


@dataclass(frozen=True)
class Operation:
    """A kind of request."""

    name: str
    """The name of the row."""
    method: str
    """The HTTP method."""
    path: Callable[[int], str]
    """Returns the path of the request with a number."""
    body: Callable[[int], dict[str, object]] | None = None
    """Returns the body of the request with a number."""
    requests: int = REQUESTS
    """The number of requests."""


def operations(size: int) -> Iterator[Operation]:
    """Yield the operations on a database with so many responses, deletions last."""

    def chosen(number: int) -> str:
        return samples.response_id((number * _STEP + 1) % size)

    def create(number: int, **fields: object) -> dict[str, object]:
        return {"model": samples.MODEL, "input": f"Go on with {number}.", **fields}

    def get(name: str, path: str) -> Operation:
        return Operation(name, "GET", lambda _: path)

    def post(name: str, path: str, body: Callable[[int], dict[str, object]]) -> Operation:
        return Operation(name, "POST", lambda _: path, body)

    create_stream = partial(create, model="openai/burst-200", stream=True)
    continued = lambda number: create(number, previous_response_id=chosen(number))  # noqa: E731
    middle = samples.response_id(size // 2)
    yield post("create a response, JSON", "/responses", create)
    yield post("create a response, stream of 200 tokens", "/responses", create_stream)
    yield post("continue an old response", "/responses", continued)
    yield Operation("get a response", "GET", lambda number: f"/responses/{chosen(number)}")
    yield Operation(
        "list a response's input items", "GET", lambda number: f"/responses/{chosen(number)}/input_items"
    )
    yield get("list responses: first page", "/responses")
    yield get("list responses: page in the middle", f"/responses?after={middle}")
    yield get("list responses: model of nearly all", f"/responses?model={samples.MODEL}")
    yield get("list responses: model of one", f"/responses?model={samples.RARE}")
    yield get("list responses: model of none", "/responses?model=none")
    yield get("get a conversation", "/conversations/conv_bench")
    yield get("list a conversation's items", "/conversations/conv_bench/items")
    yield post("add 2 items to a conversation", "/conversations/conv_bench/items", _two_items)
    in_conversation = partial(create, conversation="conv_bench")
    yield post("create a response in a conversation, which sends all items", "/responses", in_conversation)
    yield get("get a vector store", "/vector_stores/vs_bench")
    yield get("list a vector store's files", "/vector_stores/vs_bench/files")
    yield get("list a vector store's failed files", "/vector_stores/vs_bench/files?filter=failed")
    yield get("list files of another purpose", "/files?purpose=batch")
    yield post(
        "search a vector store: rare word",
        "/vector_stores/vs_bench/search",
        lambda n: {"query": f"detail{n % 10}"},
    )
    yield post(
        "search a vector store: frequent words",
        "/vector_stores/vs_bench/search",
        lambda n: {"query": samples.frequent(n)},
    )
    yield Operation(
        "detach a file",
        "DELETE",
        lambda n: f"/vector_stores/vs_bench/files/{samples.file_id('vs_bench', n)}",
        requests=5,
    )
    yield Operation("delete a response", "DELETE", lambda number: f"/responses/{chosen(number)}")
    yield Operation("delete a conversation", "DELETE", lambda _: "/conversations/conv_bench", requests=1)
    yield Operation("delete a vector store", "DELETE", lambda _: "/vector_stores/vs_bench", requests=1)


def _two_items(number: int) -> dict[str, object]:
    item = {"type": "message", "role": "user", "content": f"Item {number}."}
    return {"items": [item, item]}


async def filled(url: str, size: int) -> None:
    """Fill a database."""
    store = await Store.open(url)
    await samples.responses(store, 0, size)
    await samples.conversation(store, "conv_bench", size // 100)
    await samples.vector_store(store, "vs_bench")
    await samples.chunks(store, "vs_bench", 0, size // 10)
    await store.close()


@dataclass(frozen=True)
class Server:
    """A server on a database of one size, with a client."""

    size: int
    """The number of responses in the database."""
    pids: Sequence[int]
    """The processes whose CPU time counts."""
    client: Client
    """The client of the server."""

    def cpu(self) -> float:
        """Return the CPU seconds of the processes so far."""
        return sum(map(cpu_of, self.pids))


def measured(servers: Sequence[Server], each: Sequence[Operation]) -> list[dict[str, float]]:
    """Send the requests of an operation to all servers in turn, and return the figures of each.

    Args:
        servers: The servers. They take turns, so that other processes of the machine delay all alike.
        each: The operation for the size of each server.
    """
    walls: list[list[float]] = [[] for _ in servers]
    cpus: list[list[float]] = [[] for _ in servers]
    for number in range(each[0].requests):
        for at, (server, operation) in enumerate(zip(servers, each, strict=True)):
            body = b"" if operation.body is None else json.dumps(operation.body(number)).encode()
            before, began = server.cpu(), time.perf_counter()
            server.client.send(operation.method, operation.path(number), body)
            walls[at].append(time.perf_counter() - began)
            cpus[at].append(server.cpu() - before)
    return [
        {"CPU ms": statistics.median(cpu) * 1000, "wall ms": statistics.median(wall) * 1000}
        for cpu, wall in zip(cpus, walls, strict=True)
    ]


def postmaster(url: str) -> int | None:
    """Return the ID of PostgreSQL's main process, or None for SQLite."""
    if url.startswith("sqlite"):
        return None
    with open_engine(url).reading.connect() as connection:
        folder = Path(str(connection.execute(text("SHOW data_directory")).scalar_one()))
    return int((folder / "postmaster.pid").read_text().split()[0])


@contextmanager
def filled_database(kind: str, size: int) -> Iterator[str]:
    """Yield the URL of a new database with so many responses."""
    with ExitStack() as stack:
        if kind == "SQLite":
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/growth.db"
        else:
            url = stack.enter_context(postgresql(None))
        began = time.monotonic()
        asyncio.run(filled(url, size))
        print(f"{kind}: {size:,} responses stored in {time.monotonic() - began:.0f} s", flush=True)
        yield url


def run(table: Table, kind: str, sizes: Sequence[int], stub_port: int) -> None:
    """Add the rows of one kind of database."""
    with ExitStack() as stack:
        urls = [stack.enter_context(filled_database(kind, size)) for size in sizes]
        servers = []
        for size, url in zip(sizes, urls, strict=True):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            process = stack.enter_context(antiphon(stub_port, folder, database=url))
            started = {"CPU ms": process.cpu() * 1000, "wall ms": process.ready * 1000}
            table.add("start of the server", f"{kind} {size}", started)
            pids = [pid for pid in (process.process.pid, postmaster(url)) if pid is not None]
            servers.append(Server(size, pids, Client(process.port)))
        for each in zip(*(operations(size) for size in sizes), strict=True):
            for server, found in zip(servers, measured(servers, each), strict=True):
                table.add(each[0].name, f"{kind} {server.size}", found)


def growth(first: float, last: float, rows: float) -> str:
    """Return the class of growth from the cost of the smallest and the largest size.

    Args:
        first: The cost at the smallest size.
        last: The cost at the largest size.
        rows: The number of rows at the largest size, divided by that at the smallest.
    """
    factor = last / first
    if factor < 1.5:
        return "constant"
    if factor < 2:
        return "logarithmic"
    if factor < rows / 2:
        return "part linear"
    return "linear" if factor <= 2 * rows else "more than linear"


def markdown(table: Table, kind: str, sizes: Sequence[int]) -> str:
    """Return the table of one database in Markdown."""
    heads = [f"{size:,}" for size in sizes]
    lines = [f"| {kind} | {' | '.join(heads)} | growth |", f"| --- |{' --: |' * len(sizes)} --- |"]
    for name in dict.fromkeys(str(row["workload"]) for row in table.rows):
        cpu = [table.value(name, f"{kind} {size}", "CPU ms") or 0.0 for size in sizes]
        wall = [table.value(name, f"{kind} {size}", "wall ms") or 0.0 for size in sizes]
        cells = [f"{short(one)} / {short(other)}" for one, other in zip(cpu, wall, strict=True)]
        found = growth(cpu[0], cpu[-1], sizes[-1] / sizes[0])
        lines.append(f"| {name[0].upper()}{name[1:]} | {' | '.join(cells)} | {found} |")
    return "\n".join(lines)


_TEXT = """## Growth

Cost of a request with few and with many stored responses, from a run of its own: {about.date}, commit
{about.commit}, `{about.command}`. During the run, other processes and the host used
{others:.0f}% of the machine. For each size, the database also has a vector store with a tenth as many chunks,
and a conversation with a hundredth as many items. Figures are CPU milliseconds / milliseconds until the
complete response, as medians of {requests} requests. One client sends a request to each size in turn, so
that a busy machine delays all sizes alike. CPU times include those of PostgreSQL's processes.

The last column compares the CPU times of the largest and the smallest size:

* constant: less than 1.5 times as much
* logarithmic: less than 2 times as much
* part linear: more, but less than half as many times as there are more rows, because of a fixed cost
* linear: up to twice as many times as there are more rows

{tables}

The server removes deleted chunks and items after its response to the deletion. `python -m bench.deletions`
measures other requests in the meantime.
"""


def section(about: About, tables: Sequence[str]) -> str:
    """Return the section of the page."""
    return _TEXT.format(
        about=about, others=about.other_load * 100, requests=REQUESTS, tables="\n\n".join(tables)
    )


def with_section(page: str, new: str) -> str:
    """Return a page with a new section instead of the one with the same heading, or at its end."""
    heading = new.partition("\n")[0]
    before, found, rest = page.partition(f"{heading}\n")
    if not found:
        return f"{page}\n{new}"
    _, following, after = rest.partition("\n## ")
    return f"{before}{new}{following}{after}"


def main() -> None:
    """Measure all sizes, and print the table of each database."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="1000,100000")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    os.sched_setaffinity(0, OTHER_CORES)
    table = Table()
    command = f"python -m bench.growth --sizes {options.sizes}{' --postgresql' * options.postgresql}"
    about, others = machine.about(command), machine.OtherLoad()
    kinds = ["SQLite", *["PostgreSQL"] * options.postgresql]
    with stub() as port:
        for kind in kinds:
            run(table, kind, sizes, port)
            print(f"\n{markdown(table, kind, sizes)}\n", flush=True)
    about.other_load = others.share()
    found = section(about, [markdown(table, kind, sizes) for kind in kinds])
    print(f"\n{found}")
    if options.json is not None:
        machine.write(options.json, about, table)
    if options.page:
        SECTION.write_text(found, encoding="utf-8")
        PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
