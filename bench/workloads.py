"""The workloads: what is asked of a server, and what is measured of it."""

import importlib.metadata
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import uvloop
from packaging.requirements import Requirement

import antiphon as antiphon_package
from bench.client import Figures, Load, percentile, run
from bench.servers import OTHER_CORES, Process, antiphon, stub
from bench.table import Table, summary

_GAP = 0.02
"""Seconds between two tokens of W3."""


@dataclass
class Target:
    """A server under test, and the name that it gives the backend's models."""

    name: str
    server: Process
    prefix: str = ""
    headers: bytes = b""
    stores: bool = True
    """Whether it can store responses."""


def body(target: Target, model: str, *, stream: bool, store: bool, extra: str = "") -> bytes:
    """Returns the JSON of a request."""
    flags = f'"stream":{str(stream).lower()},"store":{str(store).lower()}'
    return f'{{"model":"{target.prefix}{model}","input":"Go.",{flags}{extra}}}'.encode()


def measured(load: Load) -> Figures:
    """Runs a load on the cores that the server does not have."""
    os.sched_setaffinity(0, OTHER_CORES)
    return uvloop.run(run(load))


def closed_loops(
    table: Table, targets: Sequence[Target], *, seconds: float, rounds: int, clients: int
) -> None:
    """W1 and W2: JSON and bursts of 200 tokens, stored and not; the servers take turns."""
    for stream in (False, True):
        for store in (True, False):
            kind = "W2 stream of 200 tokens" if stream else "W1 JSON"
            name = f"{kind}, {'stored' if store else 'not stored'}, c={clients}"
            found: dict[str, list[Figures]] = {target.name: [] for target in targets}
            cpu = dict.fromkeys(found, 0.0)
            for number in range(rounds + 1):
                for target in targets:
                    if store and not target.stores:
                        continue
                    request = body(target, "burst-200", stream=stream, store=store)
                    load = Load(target.server.port, [request], clients, seconds, target.headers)
                    if not number:  # To warm up.
                        load.seconds = min(seconds, 0.5)
                    before = target.server.cpu()
                    figures = measured(load)
                    if number:
                        found[target.name].append(figures)
                        cpu[target.name] += target.server.cpu() - before
            for target in targets:
                if found[target.name]:
                    table.add(name, target.name, summary(found[target.name], cpu[target.name]))


def first_deltas(table: Table, targets: Sequence[Target], stub_port: int, *, seconds: float) -> None:
    """Time to the first delta with one client; the backend's own beside it, asked directly."""
    for target in targets:
        request = body(target, "burst-1", stream=True, store=target.stores)
        figures = measured(Load(target.server.port, [request], 1, seconds, target.headers))
        values = {"first delta p50 ms": percentile(figures.first_deltas, 0.5) * 1000}
        table.add("W2 first delta, c=1", target.name, values)
    request = b'{"model":"burst-1","input":"Go.","stream":true}'
    figures = measured(Load(stub_port, [request], 1, seconds))
    values = {"first delta p50 ms": percentile(figures.first_deltas, 0.5) * 1000}
    table.add("W2 first delta, c=1", "backend alone", values)


def paced(table: Table, target: Target, stub_port: int, streams: int, note: str = "") -> float:
    """W3: streams of one token every 20 ms; how much later each token comes than it was sent.

    200 of them begin in a second, and all are open for three seconds. Beside it what the load itself costs:
    the same streams from the backend, without a server between. Returns the tokens a second that the
    server's core could hold, by the CPU time of these.
    """
    spread = streams / 200
    model = f"paced-{int((spread + 3) / _GAP)}-{_GAP * 1000:.0f}"
    alone = f'{{"model":"{model}","input":"Go.","stream":true}}'.encode()
    load = Load(stub_port, [alone], streams, spread=spread, paced=True, expected=b"[DONE]")
    load.lateness_after = b'"content":"'

    bare = measured(load)
    request = body(target, model, stream=True, store=True)
    rest, before = target.server.memory(), target.server.cpu()
    load = Load(target.server.port, [request], streams, spread=spread, paced=True, headers=target.headers)
    figures = measured(load)
    cpu = target.server.cpu() - before
    table.add(
        f"W3 {streams} streams, a token every 20 ms{note}",
        target.name,
        {
            "late p50 ms": percentile(figures.lateness, 0.5) * 1000,
            "late p99 ms": percentile(figures.lateness, 0.99) * 1000,
            "without server p50 ms": percentile(bare.lateness, 0.5) * 1000,
            "without server p99 ms": percentile(bare.lateness, 0.99) * 1000,
            "tokens/s": len(figures.lateness) / figures.seconds,
            "CPU %": cpu / figures.seconds * 100,
            "CPU s/1000 events": cpu / figures.events * 1000,
            "peak RSS MB": target.server.peak() / 1e6,
            "KB/stream": max(0, target.server.peak() - rest) / streams / 1000,
        },
    )
    return len(figures.lateness) / cpu


def chains(table: Table, target: Target, folder: str, turns: Sequence[int]) -> None:
    """W4: turns of one chain; time and stored bytes of a turn, at several lengths."""
    previous = ""
    sizes: list[int] = []
    times: list[float] = []
    for _ in range(max(turns)):
        extra = f',"previous_response_id":"{previous}"' if previous else ""
        request = body(target, "burst-1", stream=False, store=True, extra=extra)
        figures = measured(Load(target.server.port, [request], 1))
        previous = figures.last_answer.partition(b'"id":"')[2].partition(b'"')[0].decode()
        times.append(figures.latencies[0])
        sizes.append(_bytes_of(folder, target.server.port))
    for turn in turns:
        near = slice(max(0, turn - 10), turn + 10)
        end = max(turn, 50)
        added = (sizes[end - 1] - sizes[end - 50]) / 49
        table.add(
            f"W4 turn {turn} of a chain",
            target.name,
            {"ms/turn": percentile(times[near], 0.5) * 1000, "bytes/turn": added},
        )


def _bytes_of(folder: str, port: int) -> int:
    """Returns the bytes of the database's pages, those included that are still in its log."""
    with closing(sqlite3.connect(f"file:{folder}/bench-{port}.db?mode=ro", uri=True)) as database:
        (size,) = database.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        return int(size)


def started_up(table: Table, stub_port: int) -> None:
    """W7: from the start of the process to its first answer, `--help`, the memory of an idle server."""
    helps = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "antiphon", "--help"], check=True, capture_output=True)
        helps.append(time.monotonic() - began)
    starts, idle = [], 0
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
            starts.append(server.ready)
            idle = server.memory()
    values = {
        "first answer s": percentile(starts, 0.5),
        "--help s": percentile(helps, 0.5),
        "idle RSS MB": idle / 1e6,
        "installed MB": installed_bytes("antiphon") / 1e6,
    }
    table.add("W7 start", "antiphon", values)


def installed_bytes(package: str) -> int:
    """Returns how large a package and all that it needs are as they are installed here."""
    found: set[str] = set()
    waiting = [package]
    size = 0
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        distribution = importlib.metadata.distribution(name)
        places = [Path(str(file.locate())) for file in distribution.files or ()]
        size += sum(place.stat().st_size for place in places if place.exists())
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    source = Path(antiphon_package.__file__).parent
    if not any(source.is_relative_to(place) for place in sys.path if "site-packages" in place):
        size += sum(place.stat().st_size for place in source.rglob("*.py"))  # An editable installation.
    return size


def replayed(table: Table, stub_port: int, *, clients: int, seconds: float) -> None:
    """W6: streams answered from a recording, which may answer again and again."""
    with tempfile.TemporaryDirectory() as folder:
        for flags in (["--record", "tape"], ["--replay", "tape", "--repeat"]):
            with antiphon(stub_port, folder, *flags) as server:
                target = Target("antiphon", server, "openai/")
                request = body(target, "burst-200", stream=True, store=False)
                if flags[0] == "--record":
                    measured(Load(server.port, [request], 1))
                    continue
                before = server.cpu()
                rounds = [measured(Load(server.port, [request], clients, seconds))]
                table.add(
                    "W6 replayed streams, not stored", "antiphon", summary(rounds, server.cpu() - before)
                )


def quiet_stub() -> None:
    """Checks that the backend itself is not what is measured: prints what it can do alone."""
    with stub() as port:
        for stream in (True, False):
            request = f'{{"model":"burst-200","input":"Go.","stream":{str(stream).lower()}}}'.encode()
            figures = measured(Load(port, [request], 16, 1.0))
            print(f"backend alone, {'stream' if stream else 'JSON'}: {figures.rate:.0f} responses/s")


def tool_loops(table: Table, target: Target, *, clients: int, seconds: float) -> None:
    """W5: responses of four model calls with three searches in a small vector store between them."""
    from bench.setup import small_store

    store = small_store(target.server.port)
    extra = f',"tools":[{{"type":"file_search","vector_store_ids":["{store}"]}}]'
    request = body(target, "tools-3", stream=True, store=True, extra=extra)
    measured(Load(target.server.port, [request], clients, 0.5))
    before = target.server.cpu()
    rounds = [measured(Load(target.server.port, [request], clients, seconds))]
    table.add("W5 tool loop of 3 rounds", target.name, summary(rounds, target.server.cpu() - before))
