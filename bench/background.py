"""Cost of event logs: background responses, and streams that clients can resume.

    python -m bench.background [--rounds 5] [--postgresql] [--json FILE] [--page]

The program measures CPU time per response for the ways to create the same response, in turns; the time until
a resumed stream has its first event, from the server that runs the response and from another one; and the CPU
time of an idle server. With `--page`, the section replaces that of docs/performance.md.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

from bench import machine
from bench.client import Load, percentile
from bench.deletions import Client
from bench.growth import PAGE, postmaster, with_section
from bench.machine import About
from bench.search import postgresql
from bench.servers import OTHER_CORES, Process, antiphon, cpu_of, stub
from bench.table import Table, short
from bench.workloads import measured

SECTION = Path(__file__).parent / "background.md"
"""The section of the page, which `bench.page` includes."""

_CLIENTS = 4
_SECONDS = 2.0
"""Duration of a round of streams."""
_POLLED = 40
"""Background responses of a round without streams."""
_RESUMED = 30
"""Resumed streams of each kind."""
_SETTLE = 12.0
"""Seconds in which the server indexes the texts of the responses that have ended."""
_IDLE = 10.0
"""Seconds in which an idle server is measured."""
_PLAIN = "Stream in the foreground"
WAYS = (
    _PLAIN,
    "Resumable stream in the foreground",
    "Background response, streamed",
    "Background response, polled",
)
"""The ways to create the same response."""
MODELS = {"burst-200": "200 tokens at once", "paced-50-20": "50 paced tokens"}
"""The models of the backend, with their columns."""
_RESUME = "Resume"
IDLE = "Idle"


def body(model: str, **more: object) -> bytes:
    """Return the JSON of a request."""
    return json.dumps({"model": f"openai/{model}", "input": "Go.", **more}).encode()


def streamed(server: Process, cpu: Callable[[], float], model: str, *, background: bool) -> float:
    """Return the CPU seconds of a streamed response."""
    request = body(model, stream=True, background=background)
    load = Load(server.port, [request], _CLIENTS, _SECONDS)
    before = cpu()
    figures = measured(load)
    return (cpu() - before) / len(figures.latencies)


def polled(server: Process, cpu: Callable[[], float], model: str) -> float:
    """Return the CPU seconds of a background response whose client looks for its end only."""
    client = Client(server.port)
    before = cpu()
    created = [
        json.loads(client.send("POST", "/responses", body(model, background=True)))["id"]
        for _ in range(_POLLED)
    ]
    for response_id in created:
        while json.loads(client.send("GET", f"/responses/{response_id}"))["status"] != "completed":
            time.sleep(0.05)
    return (cpu() - before) / _POLLED


def responses(table: Table, kind: str, url: str | None, stub_port: int, folder: str, rounds: int) -> None:
    """Add the CPU time per response of each way; the servers and ways take turns."""
    with (
        antiphon(stub_port, folder, database=url) as plain,
        antiphon(stub_port, folder, "--resumable-streams", database=url) as resumable,
    ):
        database = postmaster(url) if url else None
        pids = [plain.process.pid, resumable.process.pid, *([database] if database is not None else [])]

        def cpu() -> float:
            # Of both servers: on one database, either of them runs a background response.
            return sum(map(cpu_of, pids))

        for model in MODELS:
            found: dict[str, list[float]] = {way: [] for way in WAYS}
            for turn in range(rounds + 1):
                for way in WAYS:
                    server = resumable if way == WAYS[1] else plain
                    if way == WAYS[3]:
                        each = polled(server, cpu, model)
                    else:
                        each = streamed(server, cpu, model, background=way == WAYS[2])
                    if turn:  # The first round is a warm-up.
                        found[way].append(each)
            for way, values in found.items():
                ratios = [one / base for one, base in zip(values, found[_PLAIN], strict=True)]
                table.add(
                    f"{way}, {model}",
                    kind,
                    {"CPU ms": statistics.median(values) * 1000, "ratio": statistics.median(ratios)},
                )


def _first_event(port: int, response_id: str, after: int) -> float:
    """Return the seconds from the request to the first event of a resumed stream."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", f"/v1/responses/{response_id}?stream=true&starting_after={after}")
    answer = connection.getresponse()
    while not answer.readline().startswith(b"data: "):
        pass
    took = time.perf_counter() - began
    connection.close()
    return took


def resumes(table: Table, kind: str, url: str | None, stub_port: int, folder: str) -> None:
    """Add the times until the first event of resumed streams, of events in the log and of new events."""
    database = url or f"sqlite:///{folder}/resumed.db"
    with (
        antiphon(stub_port, folder, database=database) as one,
        antiphon(stub_port, folder, database=database) as two,
    ):
        client = Client(one.port)
        made = client.send("POST", "/responses", body("paced-1500-20", background=True))
        response_id = json.loads(made)["id"]
        _first_event(one.port, response_id, 3)
        for where, server in (("the same server", one), ("another server", two)):
            times = [_first_event(server.port, response_id, 3) for _ in range(_RESUMED)]
            table.add(
                f"{_RESUME} at {where}",
                kind,
                {"p50 ms": percentile(times, 0.5) * 1000, "p99 ms": percentile(times, 0.99) * 1000},
            )
        client.send("POST", f"/responses/{response_id}/cancel")


def idle(table: Table, kind: str, url: str | None, stub_port: int, folder: str) -> None:
    """Add the CPU time of an idle server: new, after background responses, and beside a silent one."""

    def rest(what: str) -> None:
        before = server.cpu()
        time.sleep(_IDLE)
        table.add(f"{IDLE}: {what}", kind, {"CPU ms/s": (server.cpu() - before) / _IDLE * 1000})

    with antiphon(stub_port, folder, database=url) as server:
        client = Client(server.port)
        client.send("POST", "/responses", body("burst-1", store=False))
        rest("no background response yet")
        polled(server, server.cpu, "burst-200")
        time.sleep(_SETTLE)
        rest("after 40 background responses")
        made = client.send("POST", "/responses", body("paced-2-60000", background=True))
        rest("one background response whose model is silent")
        client.send("POST", f"/responses/{json.loads(made)['id']}/cancel")


_TEXT = """## Background responses and resumable streams

CPU time of one response of 200 tokens at once, and of 50 tokens with 20 ms between them, for the ways to
create it. The figures are from a run of its own: {about.date}, commit {about.commit},
`{about.command}`. During the run, other processes and the host used {others:.0f}% of
the machine. Each cell has the CPU milliseconds, and how many times as much as the stream in the foreground
this is: the medians of {rounds} rounds, in which the ways take turns. {clients} clients stream at the same
time. CPU times include those of PostgreSQL's processes.

{responses}

Milliseconds from the request for the rest of a stream to its first event, median / p99 of {resumed}, for a
background response that is running:

{resumes}

CPU milliseconds per second of a server without requests:

{idle}
"""


def section(about: About, table: Table, kinds: Sequence[str], rounds: int) -> str:
    """Return the section of the page."""
    return _TEXT.format(
        about=about,
        others=about.other_load * 100,
        rounds=rounds,
        clients=_CLIENTS,
        resumed=_RESUMED,
        responses=_responses(table, kinds),
        resumes=_rows(table, kinds, _RESUME, ("p50 ms", "p99 ms")),
        idle=_rows(table, kinds, IDLE, ("CPU ms/s",)),
    )


def _responses(table: Table, kinds: Sequence[str]) -> str:
    columns = [(kind, model) for kind in kinds for model in MODELS]
    lines = [
        "| | " + " | ".join(f"{kind}, {MODELS[model]}" for kind, model in columns) + " |",
        f"| --- |{' --: |' * len(columns)}",
    ]
    for way in WAYS:
        cells = []
        for kind, model in columns:
            cpu = table.value(f"{way}, {model}", kind, "CPU ms") or 0.0
            ratio = table.value(f"{way}, {model}", kind, "ratio") or 0.0
            cells.append(f"{short(cpu)} ({ratio:.1f} x)")
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(table: Table, kinds: Sequence[str], prefix: str, names: Sequence[str]) -> str:
    lines = [f"| | {' | '.join(kinds)} |", f"| --- |{' --: |' * len(kinds)}"]
    for workload in dict.fromkeys(str(row["workload"]) for row in table.rows):
        if not workload.startswith(prefix):
            continue
        cells = [
            " / ".join(short(table.value(workload, kind, name) or 0.0) for name in names) for kind in kinds
        ]
        what = workload.removeprefix(f"{IDLE}: ")
        lines.append(f"| {what[0].upper()}{what[1:]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure all, and print the section."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CORES)
    table = Table()
    command = f"python -m bench.background --rounds {options.rounds}{' --postgresql' * options.postgresql}"
    about, others = machine.about(command), machine.OtherLoad()
    kinds = ["SQLite", *["PostgreSQL"] * options.postgresql]
    with stub() as port:
        for kind in kinds:
            with ExitStack() as stack:
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                url = None if kind == "SQLite" else stack.enter_context(postgresql(None))
                responses(table, kind, url, port, folder, options.rounds)
                resumes(table, kind, url, port, folder)
                idle(table, kind, url, port, folder)
    about.other_load = others.share()
    found = section(about, table, kinds, options.rounds)
    print(f"\n{found}")
    if options.json is not None:
        machine.write(options.json, about, table)
    if options.page:
        SECTION.write_text(found, encoding="utf-8")
        PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
