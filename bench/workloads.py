"""The workloads with their requests and measurements."""

import json
import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import uvloop

from bench.client import Figures, Load, deltas, percentile, run
from bench.servers import OTHER_CORES, Process, answered, antiphon
from bench.setup import small_store
from bench.table import Table, summary

TEXT = "".join(f" token{number % 10}" for number in range(200))
"""The output of the backend's model `burst-200`."""
KINDS = {
    "W1 JSON, stored": (False, True),
    "W1 JSON, not stored": (False, False),
    "W2 stream of 200 tokens, stored": (True, True),
    "W2 stream of 200 tokens, not stored": (True, False),
}
"""The closed loops, with whether the client streams and the response is stored."""
FIRST_DELTA = "W2 first delta, c=1"
REPLAYED = "W6 replayed streams of 200 tokens, not stored"
TURN = "W4 turn {} of a chain"
TURNS = (1, 100, 1000)
LOOP = "W5 tool loop of 3 rounds"
CLIENTS = 16


@dataclass
class Target:
    """A server under test."""

    name: str
    """The name in the results."""
    server: Process
    """The process of the server."""
    prefix: str = ""
    """The prefix of the server's names for the backend's models."""
    headers: bytes = b""
    """More header lines of each request."""
    stores: bool = True
    """Whether the server can store responses."""


def body(target: Target, model: str, *, stream: bool, store: bool, extra: str = "") -> bytes:
    """Return the JSON of a request."""
    flags = f'"stream":{str(stream).lower()},"store":{str(store).lower()}'
    return f'{{"model":"{target.prefix}{model}","input":"Go.",{flags}{extra}}}'.encode()


def measured(load: Load, server: Process | None = None) -> Figures:
    """Run a load on the cores that the server doesn't use."""
    os.sched_setaffinity(0, OTHER_CORES)
    if server is None:
        return uvloop.run(run(load, lambda: 0.0))
    server.forget_peak()
    figures = uvloop.run(run(load, server.cpu))
    figures.peak = server.peak()
    return figures


def backend_alone(table: Table, stub_port: int) -> None:
    """Measure backend and client without a server, to show that they aren't the limit."""
    for kind, stream in (("JSON", False), ("stream of 200 tokens", True)):
        request = f'{{"model":"burst-200","input":"Go.","stream":{str(stream).lower()}}}'.encode()
        figures = measured(Load(stub_port, [request], CLIENTS, 1.0))
        table.add(f"W0 {kind}", "backend alone", {"responses/s": figures.rate})


def closed_loops(
    table: Table, targets: Sequence[Target], stub_port: int, *, seconds: float, rounds: int, number: str = ""
) -> None:
    """Run W1 and W2: JSON and bursts of 200 tokens, stored or not.

    The servers take turns.

    Args:
        table: The table for the results.
        targets: The servers.
        stub_port: The port of the backend.
        seconds: Duration of a round.
        rounds: The number of rounds.
        number: The number of another workload with the same requests.
    """
    for kind, (stream, store) in KINDS.items():
        able = [target for target in targets if target.stores or not store]
        found: dict[str, list[Figures]] = {target.name: [] for target in able}
        name = f"{number or kind[:2]}{kind[2:]}"
        print(f"{name}: {rounds} rounds of {seconds:g} s each for {', '.join(found)}", flush=True)
        for turn in range(rounds + 1):
            for target in able:
                request = body(target, "burst-200", stream=stream, store=store)
                # The first round is a warm-up.
                time = seconds if turn else min(seconds, 0.5)
                load = Load(target.server.port, [request], CLIENTS, time, target.headers)
                before = answered(stub_port)
                figures = measured(load, target.server)
                if answered(stub_port) - before < len(figures.latencies):
                    raise SystemExit(f"{target.name} did not call the backend for every response")
                check(target, figures.last_answer, stream=stream, store=store)
                if turn:
                    found[target.name].append(figures)
        for target in able:
            table.add(name, target.name, summary(found[target.name]))


def check(target: Target, answer: bytes, *, stream: bool, store: bool) -> None:
    """Stop the run if a response is incomplete, or wasn't stored though it should be."""
    whole = deltas(answer) == TEXT if stream else TEXT.encode() in answer
    if not whole:
        raise SystemExit(f"{target.name}: the text differs from the backend's: {answer[-3000:]!r}")
    if store:
        extra = f',"previous_response_id":"{response_id(answer)}"'
        request = body(target, "burst-1", stream=False, store=False, extra=extra)
        measured(Load(target.server.port, [request], 1, headers=target.headers))


def response_id(answer: bytes) -> str:
    """Return the ID of a response."""
    return answer.partition(b"resp_")[2].partition(b'"')[0].decode().join(("resp_", ""))


def first_deltas(
    table: Table, targets: Sequence[Target], stub_port: int, *, seconds: float, rounds: int
) -> None:
    """Measure the time to the first delta for one client, and the backend's own time."""
    loads = {
        target.name: Load(
            target.server.port,
            [body(target, "burst-1", stream=True, store=target.stores)],
            1,
            headers=target.headers,
        )
        for target in targets
    }
    loads["backend alone"] = Load(stub_port, [b'{"model":"burst-1","input":"Go.","stream":true}'], 1)
    found: dict[str, list[Figures]] = {name: [] for name in loads}
    for number in range(rounds + 1):
        for name, load in loads.items():
            load.seconds = seconds
            figures = measured(load)
            if number:
                found[name].append(figures)
    for name, figures_of in found.items():
        values = summary(figures_of)
        shown = {key: values[key] for key in ("first delta p50 ms", "first delta p99 ms")}
        table.add(FIRST_DELTA, name, shown)


def chains(table: Table, target: Target, folder: str) -> None:
    """Run W4: turns of one chain, with times and stored bytes at several lengths.

    For comparison, it also measures an unstored response with all these messages in one request, which the
    server must parse and send to the backend in any case.
    """
    previous = ""
    sizes: list[int] = []
    times: list[float] = []
    for _ in range(max(TURNS)):
        extra = f',"previous_response_id":"{previous}"' if previous else ""
        request = body(target, "burst-1", stream=False, store=True, extra=extra)
        figures = measured(Load(target.server.port, [request], 1))
        previous = response_id(figures.last_answer)
        times.append(figures.latencies[0])
        sizes.append(_bytes_of(folder, target.server.port))
    for turn in TURNS:
        near = slice(max(0, turn - 10), turn + 10)
        end = max(turn, 50)
        values = {
            "ms/turn": percentile(times[near], 0.5) * 1000,
            "messages sent": 2 * turn - 1,
            "ms for them without a chain": percentile(_whole(target, turn), 0.5) * 1000,
            "bytes/turn": (sizes[end - 1] - sizes[end - 50]) / 49,
        }
        table.add(TURN.format(turn), target.name, values)


def _whole(target: Target, turn: int) -> list[float]:
    """Return the times of responses that get the messages of a chain in their request."""
    question, answer = {"role": "user", "content": "Go."}, {"role": "assistant", "content": " token0"}
    messages = [question, *[answer, question] * (turn - 1)]
    asked = {"model": f"{target.prefix}burst-1", "input": messages, "store": False}
    load = Load(target.server.port, [json.dumps(asked, separators=(",", ":")).encode()], 1)
    return [measured(load).latencies[0] for _ in range(20)]


def _bytes_of(folder: str, port: int) -> int:
    """Return the size of the database, including the pages that are only in its log."""
    with closing(sqlite3.connect(f"file:{folder}/bench-{port}.db?mode=ro", uri=True)) as database:
        (size,) = database.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        return int(size)


def tool_loops(table: Table, target: Target, stub_port: int, *, seconds: float, rounds: int) -> None:
    """Run W5: responses with four model calls and three searches in a small store."""
    store = small_store(target.server.port)
    extra = f',"tools":[{{"type":"file_search","vector_store_ids":["{store}"]}}]'
    request = body(target, "tools-3", stream=True, store=True, extra=extra)
    load = Load(target.server.port, [request], CLIENTS, seconds)
    measured(load)
    before = answered(stub_port)
    found = [measured(load, target.server) for _ in range(rounds)]
    if answered(stub_port) - before != 4 * sum(len(figures.latencies) for figures in found):
        raise SystemExit("a response of three rounds must have four model calls")
    table.add(LOOP, target.name, summary(found))


def replayed(table: Table, stub_port: int, *, seconds: float, rounds: int) -> None:
    """Run W6: streams from a recording, which may be used any number of times."""
    with tempfile.TemporaryDirectory() as folder:
        for flags in (["--record", "tape"], ["--replay", "tape", "--repeat"]):
            with antiphon(stub_port, folder, *flags) as server:
                target = Target("antiphon", server, "openai/")
                request = body(target, "burst-200", stream=True, store=False)
                if flags[0] == "--record":
                    measured(Load(server.port, [request], 1))
                    continue
                load = Load(server.port, [request], CLIENTS, seconds)
                before = answered(stub_port)
                found = [measured(load, server) for _ in range(rounds)]
                if answered(stub_port) != before:
                    raise SystemExit("a replayed response called the backend")
                table.add(REPLAYED, "antiphon", summary(found))
