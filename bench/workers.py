"""Streams and stored JSON per second with one worker and with two.

    python -m bench.workers [--seconds 1.5] [--rounds 5] [--postgresql]

The server has two cores, the client and the backend have the others. With two cores in all, everything shares
them, and the figures show the costs of a second worker rather than its gain.
"""

import argparse
import os
import tempfile
from contextlib import ExitStack

from bench.client import Figures, Load
from bench.servers import Process, antiphon, family, stub
from bench.table import Table, summary
from bench.wakeups import postgresql
from bench.workloads import CLIENTS, KINDS, Target, body, measured

_CORES = sorted(os.sched_getaffinity(0))


def main() -> None:
    """Print the figures of streams and JSON, stored and not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    table = Table()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        port = stack.enter_context(stub())
        targets = []
        for workers in (1, 2):
            database = f"{folder}/workers-{workers}.db"
            if options.postgresql:
                database = stack.enter_context(postgresql(f"{folder}/{workers}"))
            flags = ("--workers", str(workers))
            server = stack.enter_context(antiphon(port, folder, *flags, database=database))
            _use(server, set(_CORES[:2]))
            targets.append(Target(f"{workers} workers", server, "openai/"))
        for kind, (stream, store) in KINDS.items():
            rates = _rates(targets, stream=stream, store=store, options=options)
            for name, figures in rates.items():
                table.add(f"workers {kind[3:]}", name, summary(figures))


def _rates(
    targets: list[Target], *, stream: bool, store: bool, options: argparse.Namespace
) -> dict[str, list[Figures]]:
    """Run the load on the servers in turns, after a warm-up."""
    found: dict[str, list[Figures]] = {target.name: [] for target in targets}
    for turn in range(options.rounds + 1):
        for target in targets:
            request = body(target, "burst-200", stream=stream, store=store)
            seconds = options.seconds if turn else min(options.seconds, 0.5)
            figures = measured(Load(target.server.port, [request], CLIENTS, seconds), target.server)
            if turn:
                found[target.name].append(figures)
    return found


def _use(server: Process, cores: set[int]) -> None:
    """Let all processes of a server use these cores."""
    for pid in family(server.process.pid):
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores)


if __name__ == "__main__":
    main()
