"""Performance goals: ratios, times and sizes, with the figures of a run."""

from bench.slow import LIMIT, NAME
from bench.start import NAME as START
from bench.table import Table
from bench.workloads import FIRST_DELTA

_RATE = "responses/s"
_P99 = "p99 ms"
_STREAM = "W2 stream of 200 tokens, "
_RATIOS = (
    (_STREAM + "stored", _RATE, "agentic-api", "at least 3"),
    (_STREAM + "stored", _RATE, "ogx", "at least 60"),
    (_STREAM + "not stored", _RATE, "agentic-api", "at least 1.2"),
    ("W1 JSON, stored", _RATE, "agentic-api", "at least 2"),
    ("W1 JSON, not stored", _RATE, "agentic-api", "at least 0.4"),
    ("W1 JSON, not stored", _RATE, "ogx", "at least 40"),
    (_STREAM + "stored", _P99, "agentic-api", "at most 1"),
)
_STARTS = (
    ("first answer s", "Start until the first response, s", "below 0.6"),
    ("--help s", "`antiphon --help`, s", "below 0.15"),
    ("installed MB", "Installed size, MB", "below 150"),
    ("idle RSS MB", "Idle memory, MB", "below 90"),
)

Goal = tuple[str, str, float | None]
"""Measured quantity, goal, and figure, which is None if it wasn't measured."""


def goals(table: Table, shown: dict[str, str]) -> list[Goal]:
    """Return all goals; `shown` maps servers to their names on the page."""
    found: list[Goal] = []
    for workload, name, peer, wanted in _RATIOS:
        what = (
            f"{workload[3:]}: {'responses per second' if name == _RATE else 'p99'}, Antiphon / {shown[peer]}"
        )
        found.append((what[0].upper() + what[1:], wanted, table.ratio(workload, name, "antiphon", peer)))
    ours, bare = (
        table.value(FIRST_DELTA, name, "first delta p50 ms") for name in ("antiphon", "backend alone")
    )
    added = ours - bare if ours is not None and bare is not None else None
    found.append(("First delta for a single client, minus the backend's own time, ms", "at most 0.6", added))
    share = table.value(LIMIT, "antiphon", "streams at 60 %")
    late = table.value(NAME.format(int(share)), "antiphon", "late p99 ms") if share is not None else None
    found.append(("Slow streams at 60% of the limit: p99 delay of a token, ms", "below 20", late))
    each = table.value(NAME.format(int(share)), "antiphon", "KB/stream") if share is not None else None
    found.append(("Slow streams at 60% of the limit: memory per stream, KB", "below 60", each))
    found += [(what, wanted, table.value(START, "antiphon", name)) for name, what, wanted in _STARTS]
    return found
