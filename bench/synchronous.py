"""Cost of `sqlite_synchronous = "full"`, which waits for the disk at each commit.

    python -m bench.synchronous [--rounds 20] [--seconds 0.5] [--folder DIRECTORY]

Two servers run at the same time, one with each value, on databases in the same folder. Each round loads one
and then the other, in alternating order, so that both meet the same load of other processes. The figures are
the medians of the rounds, and those of the ratios within each round.

The folder must be on the disk in question. First, the program measures how long the disk takes to sync a
page.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.client import Figures, Load, percentile
from bench.servers import OTHER_CORES, antiphon, stub
from bench.table import Table
from bench.workloads import CLIENTS, Target, body, measured

CASES = {
    "stored JSON": ("burst-200", False),
    "stored stream of 200 tokens": ("burst-200", True),
}
"""The workloads, with the backend's model and whether the client streams."""
VALUES = ("full", "normal")
"""The values of the setting; ratios are the first divided by the second."""
_PAGE = os.urandom(4096)
_SYNCS = 200
"""Pages to sync."""


def syncs(folder: Path) -> list[float]:
    """Return how long the disk takes to sync each of many appended pages, in seconds."""
    times: list[float] = []
    with (folder / "syncs").open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(_PAGE)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return times


def values(figures: Figures) -> dict[str, float]:
    """Return the figures of one load: wall time and CPU time per response."""
    answers = len(figures.latencies)
    return {
        "wall ms/response": figures.seconds / answers * 1000,
        "p50 ms": percentile(figures.latencies, 0.5) * 1000,
        "CPU ms/response": figures.cpu / answers * 1000,
    }


def compared(table: Table, targets: Sequence[Target], load: Load, rounds: int, workload: str) -> None:
    """Load both servers in turns, and add a row for each and a row of ratios."""
    found: dict[str, list[dict[str, float]]] = {target.name: [] for target in targets}
    for number in range(rounds + 1):
        for target in targets if number % 2 else reversed(targets):
            load.port = target.server.port
            figures = values(measured(load, target.server))
            if number:  # The first round only warms up.
                found[target.name].append(figures)
    for name, each in found.items():
        table.add(workload, name, {key: statistics.median(row[key] for row in each) for key in each[0]})
    pairs = list(zip(*(found[name] for name in VALUES), strict=True))
    table.add(
        workload,
        "ratio",
        {key: statistics.median(full[key] / normal[key] for full, normal in pairs) for key in pairs[0][0]},
    )


def main() -> None:
    """Print the time of a sync, and the figures of each workload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--folder", type=Path, help="Folder on the disk to measure.")
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CORES)
    table = Table()
    with stub() as port, tempfile.TemporaryDirectory(dir=options.folder) as folder:
        times = syncs(Path(folder))
        found = {"p50 ms": percentile(times, 0.5) * 1000, "p99 ms": percentile(times, 0.99) * 1000}
        table.add("sync of a page", "disk", found)
        full, normal = VALUES
        with (
            antiphon(port, folder, "--sqlite-synchronous", full) as one,
            antiphon(port, folder, "--sqlite-synchronous", normal) as other,
        ):
            targets = [Target(full, one, prefix="openai/"), Target(normal, other, prefix="openai/")]
            for name, (model, stream) in CASES.items():
                for clients in (1, CLIENTS):
                    request = body(targets[0], model, stream=stream, store=True)
                    load = Load(0, [request], clients, options.seconds)
                    compared(table, targets, load, options.rounds, f"{name}, c={clients}")


if __name__ == "__main__":
    main()
