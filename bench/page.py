"""Generator of docs/performance.md from the figures of one run.

    python -m bench.page bench/results.json

All figures of the page come from the run. No sentence depends on their values.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench import background, growth, machine, workloads
from bench.goals import goals
from bench.machine import About, Python
from bench.peers import PEERS
from bench.recordings import NAME as RECORDINGS
from bench.recordings import Options
from bench.slow import LIMIT, STREAMS
from bench.slow import NAME as SLOW
from bench.start import NAME as START
from bench.table import Table, short
from bench.workloads import KINDS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TEXT = Path(__file__).parent / "page.md"
SHOWN = {
    "antiphon": "Antiphon",
    "agentic-api": "agentic-api",
    "litellm": "LiteLLM",
    "ogx": "OGX",
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
}
"""Name of each server or database on the page."""
_ALONE = "backend alone"
_STREAMED = [kind for kind, (stream, _) in KINDS.items() if stream]


def page(about: About, table: Table) -> str:
    """Return the text of the page."""
    ran = {row["server"] for row in table.rows}
    servers = ["antiphon", *(name for name in about.peers if name in ran)]
    wanted = [[what, goal, _figure(value)] for what, goal, value in goals(table, SHOWN)]
    first = [workloads.FIRST_DELTA]

    def compared(rows: Sequence[str], *names: str) -> str:
        return _compared(table, servers, rows, names)

    text = TEXT.read_text(encoding="utf-8").format(
        about=about,
        others=about.other_load * 100,
        clients=workloads.CLIENTS,
        missing=_missing(servers),
        servers=_servers(about, servers),
        goals=_markdown(["", "goal", "this run"], wanted),
        rates=compared(list(KINDS), "responses/s", "lowest responses/s", "highest responses/s"),
        times=compared(list(KINDS), "p50 ms", "p99 ms"),
        first=compared([*_STREAMED, *first], "first delta p50 ms", "first delta p99 ms"),
        first_alone=_figure(table.value(workloads.FIRST_DELTA, _ALONE, "first delta p50 ms")),
        json_alone=_figure(table.value("W0 JSON", _ALONE, "responses/s")),
        stream_alone=_figure(table.value("W0 stream of 200 tokens", _ALONE, "responses/s")),
        cpu=compared(list(KINDS), "CPU ms/response", "CPU %"),
        events=compared(_STREAMED, "events/s", "CPU s/1000 events"),
        memory=compared(list(KINDS), "peak RSS MB"),
        slow=_slow(table),
        limit=_figure(table.value(LIMIT, "antiphon", "tokens/s")),
        chains=_chains(table),
        loops=_own(table, workloads.LOOP),
        replay=_own(table, workloads.REPLAYED),
        recordings=_recordings(table),
        start=compared([START], "first answer s"),
        sizes=_sizes(table, servers),
        help=_figure(table.value(START, "antiphon", "--help s")),
        postgresql=_compared(
            table,
            ["sqlite", "postgresql"],
            [f"W8{kind[2:]}" for kind in KINDS],
            ("responses/s", "CPU ms/response"),
        ),
    )
    sections = [each.SECTION.read_text(encoding="utf-8") for each in (background, growth)]
    return "\n".join([text, *sections])


def _figure(value: float | None) -> str:
    return "-" if value is None else short(value)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with one column of text and further columns of figures."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _what(workload: str) -> str:
    """Return the name of a workload without its number, with a capital letter."""
    words = workload.partition(" ")[2]
    return words[0].upper() + words[1:]


def _compared(table: Table, servers: Sequence[str], rows: Sequence[str], names: Sequence[str]) -> str:
    """Return a table with a column for each server and a row for each workload.

    A cell of two figures has a slash between them. A cell of three figures has the second and third in
    parentheses, as a range.
    """

    def cell(workload: str, server: str) -> str:
        first, *rest = [_figure(table.value(workload, server, name)) for name in names]
        if first == "-" or not rest:
            return first
        return f"{first} / {rest[0]}" if len(rest) == 1 else f"{first} ({rest[0]} to {rest[1]})"

    head = ["", *(SHOWN[server] for server in servers)]
    return _markdown(head, [[_what(row), *(cell(row, server) for server in servers)] for row in rows])


def _own(table: Table, workload: str) -> str:
    """Return the table of a workload that only this project's server runs."""
    shown = {
        "responses/s": "responses/s",
        "median, ms": "p50 ms",
        "p99, ms": "p99 ms",
        "CPU ms per response": "CPU ms/response",
        "CPU s per 1,000 events": "CPU s/1000 events",
        "peak memory, MB": "peak RSS MB",
    }
    figures = [_figure(table.value(workload, "antiphon", name)) for name in shown.values()]
    return _markdown(["", *shown], [[_what(workload), *figures]])


def _slow(table: Table) -> str:
    share = table.value(LIMIT, "antiphon", "streams at 60 %")
    names = ["tokens/s", "late p50 ms", "late p99 ms", "without server p50 ms", "without server p99 ms"]
    names += ["CPU %", "CPU s/1000 events", "KB/stream", "peak RSS MB"]
    rows = []
    for streams in (*STREAMS, *([] if share is None else [int(share)])):
        what = f"{streams:,}" if streams in STREAMS else f"{streams:,} (60% of the limit)"
        figures = [_figure(table.value(SLOW.format(streams), "antiphon", name)) for name in names]
        rows.append([what, *figures])
    head = ["open streams", "tokens/s", "median delay, ms", "p99 delay, ms"]
    head += ["median delay without a server, ms", "p99 delay without a server, ms"]
    head += ["CPU %", "CPU s per 1,000 tokens", "KB per stream", "peak memory, MB"]
    return _markdown(head, rows)


def _chains(table: Table) -> str:
    names = ("messages sent", "ms/turn", "ms for them without a chain", "bytes/turn")
    rows = []
    for turn in workloads.TURNS:
        values = [table.value(workloads.TURN.format(turn), "antiphon", name) for name in names]
        messages = "-" if values[0] is None else f"{values[0]:,.0f}"
        rows.append([f"{turn:,}", messages, *(_figure(value) for value in values[1:])])
    head = ["turn", "messages to the backend", "ms", "ms, all messages in one request", "bytes stored"]
    return _markdown(head, rows)


def _recordings(table: Table) -> str:
    workload = RECORDINGS.format(Options.calls, Options.chunks)
    names = {
        "Load all recordings, s": "load s",
        "Start a server with them, s": "start of the server s",
        "Find a recording of the same request, µs": "exact hit µs",
        "Find a recording by the canonical form, µs": "canonical hit µs",
        "Find a recording with other scores in a search result, µs": "volatile hit µs",
        "Detect a miss, µs": "miss µs",
        "Detect a miss and explain it with the nearest recording, µs": "explained miss µs",
        f"Chat streams of {Options.chunks} chunks per second": "chat streams/s",
    }
    rows = [[what, _figure(table.value(workload, "antiphon", name))] for what, name in names.items()]
    return _markdown([f"{Options.calls:,} recordings", ""], rows)


def _sizes(table: Table, servers: Sequence[str]) -> str:
    names = {"Idle memory, MB": "idle RSS MB", "Installed size, MB": "installed MB"}
    rows = [
        [what, *(_figure(table.value(START, server, name)) for server in servers)]
        for what, name in names.items()
    ]
    return _markdown(["", *(SHOWN[server] for server in servers)], rows)


def _servers(about: About, servers: Sequence[str]) -> str:
    rows = [f"| Antiphon | commit {about.commit} | {_built(about.python)} |"]
    for name in servers[1:]:
        peer = about.peers[name]
        runs = "compiled from Rust" if name == "agentic-api" else _built(peer.python)
        rows.append(f"| {SHOWN[name]} | {peer.version} | {runs} |")
    return "\n".join(["| | version | runtime |", "| --- | --- | --- |", *rows])


def _built(python: Python) -> str:
    how = "with" if python.optimized else "without"
    return f"Python {python.version}, built {how} profile-guided optimization"


def _missing(servers: Sequence[str]) -> str:
    names = [SHOWN[peer.name] for peer in PEERS if peer.name not in servers]
    return (
        f"\nNot in this run, because they aren't installed or didn't start: {', '.join(names)}.\n"
        if names
        else ""
    )


def main() -> None:
    """Write the page from the results file in the command line."""
    about, table = machine.read(Path(sys.argv[1]))
    PAGE.write_text(page(about, table), encoding="utf-8")
    print(f"Wrote {PAGE.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
