"""Capacity of one process and of one database, for docs/scaling.md.

    python -m bench.capacity [--postgresql] [--json FILE] [--page]

The program measures the memory of open connections and of open streams whose model is silent, and how many
responses and transactions per second group commit stores, alone and with many writers. With `--page`, the
section replaces that of docs/scaling.md.
"""

import argparse
import asyncio
import os
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import event

from antiphon.ids import new_id
from antiphon.store import Store
from antiphon.store.responses.rows import FinishedResponse, NewItem, NewResponse
from bench import machine
from bench.background import body
from bench.growth import postmaster, with_section
from bench.machine import About
from bench.search import postgresql
from bench.servers import OTHER_CORES, antiphon, cpu_of, stub
from bench.table import Table, short

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
OPEN = 1000
"""Connections and streams that are open at the same time."""
WRITERS = (1, 16, 256)
_NAMES = ("responses/s", "transactions/s", "CPU ms/response", "database CPU ms/response")
_SECONDS = 4.0
_BODY = '{"id": "%s", "object": "response", "status": "completed", "text": "' + "x" * 900 + '"}'
_ITEM = '{"id": "%s", "type": "message", "content": "' + "x" * 900 + '"}'


def memory(table: Table, stub_port: int, folder: str) -> None:
    """Add the memory of each open connection, and of each stream with a silent model."""
    with antiphon(stub_port, folder) as server:
        with _opened(server.port, b"", 10):
            pass
        rest = server.memory()
        with _opened(server.port, b"", OPEN):
            table.add("connection", "server", {"KB": (server.memory() - rest) / OPEN / 1000})
        content = body("paced-2-60000", stream=True)
        head = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        request = head + b"Content-Length: %d\r\n\r\n" % len(content) + content
        with _opened(server.port, request, 10):
            pass
        rest = server.memory()
        with _opened(server.port, request, OPEN):
            table.add("stream", "server", {"KB": (server.memory() - rest) / OPEN / 1000})


@contextmanager
def _opened(port: int, request: bytes, number: int) -> Iterator[None]:
    """Open connections, send a request on each, and wait until each has the first event of its stream."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            for _ in range(number)
        ]
        for connection in connections:
            connection.sendall(request or b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        for connection in connections:
            if b" 200 " not in (said := connection.recv(65536)):
                raise SystemExit(f"refused: {said!r}")
        time.sleep(1)
        yield


def commits(table: Table, kind: str, url: str) -> None:
    """Add the responses and transactions per second of one process with each number of writers."""
    for writers in WRITERS:
        table.add(f"{writers} writers", kind, asyncio.run(_stored(url, postmaster(url), writers)))


async def _stored(url: str, database: int | None, writers: int) -> dict[str, float]:
    """Return the figures of writers for some seconds; `database` is the process of PostgreSQL."""
    transactions = 0

    def count(_: object) -> None:
        nonlocal transactions
        transactions += 1

    store = await Store.open(url)
    event.listen(store._database._opened.writing, "commit", count)
    responses, end = 0, time.monotonic() + _SECONDS
    own, others, began = time.process_time(), 0.0 if database is None else cpu_of(database), time.monotonic()

    async def write() -> None:
        nonlocal responses
        while time.monotonic() < end:
            response_id, question, answer = new_id("resp"), new_id("msg"), new_id("msg")
            store.pending.begin("bench", _new(response_id, question))
            finished = FinishedResponse(
                id=response_id,
                status="completed",
                completed_at=1.0,
                body=_BODY % response_id,
                output=[NewItem(answer, "message", _ITEM % answer)],
            )
            await store.pending.finish("bench", finished)
            responses += 1

    await asyncio.gather(*(write() for _ in range(writers)))
    took = time.monotonic() - began
    own = time.process_time() - own
    others = 0.0 if database is None else cpu_of(database) - others
    await store.close()
    return {
        "responses/s": responses / took,
        "transactions/s": transactions / took,
        "CPU ms/response": own / responses * 1000,
        "database CPU ms/response": others / responses * 1000,
    }


def _new(response_id: str, question: str) -> NewResponse:
    return NewResponse(
        id=response_id,
        created_at=time.time(),
        model="m",
        body=_BODY % response_id,
        input_new=[NewItem(question, "message", _ITEM % question)],
        input_ids=[question],
    )


_TEXT = """## Measured capacity

From a run of its own: {about.date}, commit {about.commit}, `{about.command}`, on {about.cores} cores of
{about.cpu}. During the run, other processes and the host used {others:.0f}% of the machine.

| memory | KB each |
| --- | --: |
| An idle connection, of {open:,} | {connection} |
| An open stream whose model is silent, of {open:,} | {stream} |

Responses that one process stores per second, with beginning, end and two items of 1 kB in one transaction /
transactions per second / CPU milliseconds of the process per response / the same of PostgreSQL:

{commits}
"""


def section(about: About, table: Table, kinds: list[str]) -> str:
    """Return the section of the page."""
    lines = [f"| writers at the same time | {' | '.join(kinds)} |", f"| ---: |{' --: |' * len(kinds)}"]
    for writers in WRITERS:
        cells = [
            " / ".join(short(table.value(f"{writers} writers", kind, name) or 0.0) for name in _NAMES)
            for kind in kinds
        ]
        lines.append(f"| {writers} | {' | '.join(cells)} |")
    return _TEXT.format(
        about=about,
        others=about.other_load * 100,
        open=OPEN,
        connection=short(table.value("connection", "server", "KB") or 0.0),
        stream=short(table.value("stream", "server", "KB") or 0.0),
        commits="\n".join(lines),
    )


def main() -> None:
    """Measure all, and print the section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CORES)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    table = Table()
    command = f"python -m bench.capacity{' --postgresql' * options.postgresql}"
    about, others = machine.about(command), machine.OtherLoad()
    kinds = ["SQLite", *["PostgreSQL"] * options.postgresql]
    with stub() as port, tempfile.TemporaryDirectory() as folder:
        memory(table, port, folder)
        for kind in kinds:
            with ExitStack() as stack:
                url = (
                    f"sqlite:///{folder}/capacity.db"
                    if kind == "SQLite"
                    else stack.enter_context(postgresql(None))
                )
                commits(table, kind, url)
    about.other_load = others.share()
    found = section(about, table, kinds)
    print(f"\n{found}")
    if options.json is not None:
        machine.write(options.json, about, table)
    if options.page:
        PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
