"""What the benchmarks found, as a table to read and as JSON."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.client import Figures, percentile


@dataclass
class Table:
    """Rows of figures: a workload, the server, and named values with their units in the name."""

    rows: list[dict[str, str | float]] = field(default_factory=list)

    def add(self, workload: str, server: str, values: Mapping[str, float]) -> None:
        """Takes a row in and prints it."""
        self.rows.append({"workload": workload, "server": server, **values})
        shown = "   ".join(f"{name} {short(value)}" for name, value in values.items())
        print(f"{workload:34} {server:12} {shown}", flush=True)

    def value(self, workload: str, server: str, name: str) -> float | None:
        """Returns a figure, or None where there is none."""
        for row in self.rows:
            if row["workload"] == workload and row["server"] == server and name in row:
                return float(row[name])
        return None

    def ratio(self, workload: str, name: str, ours: str, theirs: str) -> float | None:
        """Returns our value by theirs, or None where one is missing."""
        one, other = self.value(workload, ours, name), self.value(workload, theirs, name)
        return one / other if one is not None and other else None


def summary(rounds: Sequence[Figures]) -> dict[str, float]:
    """Returns the usual values, each the median of the rounds, and how far the rates lie apart."""
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
    """Returns a figure with three digits that count, or all those before the point."""
    if not value:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
