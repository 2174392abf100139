"""Results of the benchmarks, as a readable table and as JSON."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.client import Figures, percentile


@dataclass
class Table:
    """Rows of figures: a workload, a server, and values whose names include the unit."""

    rows: list[dict[str, str | float]] = field(default_factory=list)
    """The rows in order."""

    def add(self, workload: str, server: str, values: Mapping[str, float]) -> None:
        """Add a row and print it."""
        self.rows.append({"workload": workload, "server": server, **values})
        shown = "   ".join(f"{name} {short(value)}" for name, value in values.items())
        print(f"{workload:34} {server:12} {shown}", flush=True)

    def value(self, workload: str, server: str, name: str) -> float | None:
        """Return a figure, or None if it doesn't exist."""
        for row in self.rows:
            if row["workload"] == workload and row["server"] == server and name in row:
                return float(row[name])
        return None

    def ratio(self, workload: str, name: str, ours: str, theirs: str) -> float | None:
        """Return our value divided by theirs, or None if one doesn't exist."""
        one, other = self.value(workload, ours, name), self.value(workload, theirs, name)
        return one / other if one is not None and other else None


def summary(rounds: Sequence[Figures]) -> dict[str, float]:
    """Return the usual values as medians of the rounds, and the range of the rates."""
    found = [_values(figures) for figures in rounds]
    values = {name: statistics.median(each[name] for each in found) for name in found[0]}
    if len(rounds) > 1:
        rates = [figures.rate for figures in rounds]
        values |= {"lowest responses/s": min(rates), "highest responses/s": max(rates)}
    return values


def _values(figures: Figures) -> dict[str, float]:
    values = {
        "responses/s": figures.rate,
        "p50 ms": percentile(figures.latencies, 0.5) * 1000,
        "p99 ms": percentile(figures.latencies, 0.99) * 1000,
    }
    if figures.first_deltas:
        values["first delta p50 ms"] = percentile(figures.first_deltas, 0.5) * 1000
        values["first delta p99 ms"] = percentile(figures.first_deltas, 0.99) * 1000
    if figures.events:
        values["events/s"] = figures.events / figures.seconds
        values["CPU s/1000 events"] = figures.cpu / figures.events * 1000
    values["CPU ms/response"] = figures.cpu / len(figures.latencies) * 1000
    values["CPU %"] = figures.cpu / figures.seconds * 100
    values["peak RSS MB"] = figures.peak / 1e6
    return values


def short(value: float) -> str:
    """Return a figure with three significant digits, or all digits before the point."""
    if not value:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
