"""What the benchmarks found, as a table to read and as JSON."""

import json
import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Figures, percentile


@dataclass
class Table:
    """Rows of figures: a workload, the server, and named values with their units in the name."""

    rows: list[dict[str, str | float]] = field(default_factory=list)

    def add(self, workload: str, server: str, values: dict[str, float]) -> None:
        """Takes a row in and prints it."""
        self.rows.append({"workload": workload, "server": server, **values})
        shown = "   ".join(f"{name} {_short(value)}" for name, value in values.items())
        print(f"{workload:34} {server:12} {shown}", flush=True)

    def write(self, path: Path) -> None:
        """Writes all rows, the machine and the date as JSON."""
        machine = f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores"
        found = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "rows": self.rows}
        path.write_text(json.dumps(found, indent=1) + "\n")

    def ratio(self, workload: str, name: str, ours: str, theirs: str) -> float | None:
        """Returns our value by theirs, or None where one is missing."""
        found = {row["server"]: row.get(name) for row in self.rows if row["workload"] == workload}
        one, other = found.get(ours), found.get(theirs)
        if isinstance(one, float) and isinstance(other, float) and other:
            return one / other
        return None


def summary(rounds: list[Figures], cpu: float) -> dict[str, float]:
    """Returns the usual values: of the median round the rate, of all rounds the rest."""
    latencies = [value for figures in rounds for value in figures.latencies]
    first = [value for figures in rounds for value in figures.first_deltas]
    events = sum(figures.events for figures in rounds)
    values = {
        "responses/s": percentile([figures.rate for figures in rounds], 0.5),
        "p50 ms": percentile(latencies, 0.5) * 1000,
        "p99 ms": percentile(latencies, 0.99) * 1000,
    }
    if first:
        values["first delta p50 ms"] = percentile(first, 0.5) * 1000
    if events:
        values["events/s"] = percentile([figures.events / figures.seconds for figures in rounds], 0.5)
        values["CPU s/1000 events"] = cpu / events * 1000
    values["CPU ms/response"] = cpu / len(latencies) * 1000
    return values


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
