"""Writes docs/performance.md from the figures of one run.

    python -m bench.page bench/results.json

No figure of the page is typed by hand, and no sentence of it depends on which figures they are.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench import machine, workloads
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
"""What readers call a server, or its database."""
_ALONE = "backend alone"
_STREAMED = [kind for kind, (stream, _) in KINDS.items() if stream]


def page(about: About, table: Table) -> str:
    """Returns the text of the page."""
    ran = {row["server"] for row in table.rows}
    servers = ["antiphon", *(name for name in about.peers if name in ran)]
    wanted = [[what, goal, _figure(value)] for what, goal, value in goals(table, SHOWN)]
    first = [workloads.FIRST_DELTA]

    def compared(rows: Sequence[str], *names: str) -> str:
        return _compared(table, servers, rows, names)

    return TEXT.read_text(encoding="utf-8").format(
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


def _figure(value: float | None) -> str:
    return "-" if value is None else short(value)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table whose first column is of words and whose others are of figures."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _what(workload: str) -> str:
    """Returns a workload without its number, as the beginning of a sentence."""
    words = workload.partition(" ")[2]
    return words[0].upper() + words[1:]


def _compared(table: Table, servers: Sequence[str], rows: Sequence[str], names: Sequence[str]) -> str:
    """Returns a table with a column for each server and a row for each workload.

    Of two figures the other stands behind a stroke, of three the second and third are a range.
    """

    def cell(workload: str, server: str) -> str:
        first, *rest = [_figure(table.value(workload, server, name)) for name in names]
        if first == "-" or not rest:
            return first
        return f"{first} / {rest[0]}" if len(rest) == 1 else f"{first} ({rest[0]} to {rest[1]})"

    head = ["", *(SHOWN[server] for server in servers)]
    return _markdown(head, [[_what(row), *(cell(row, server) for server in servers)] for row in rows])


def _own(table: Table, workload: str) -> str:
    """Returns the figures of a workload that only this project's server runs."""
    shown = {
        "a second": "responses/s",
        "median, ms": "p50 ms",
        "p99, ms": "p99 ms",
        "CPU, ms": "CPU ms/response",
        "CPU s for 1,000 events": "CPU s/1000 events",
        "most memory, MB": "peak RSS MB",
    }
    figures = [_figure(table.value(workload, "antiphon", name)) for name in shown.values()]
    return _markdown(["", *shown], [[_what(workload), *figures]])


def _slow(table: Table) -> str:
    share = table.value(LIMIT, "antiphon", "streams at 60 %")
    names = ["tokens/s", "late p50 ms", "late p99 ms", "without server p50 ms", "without server p99 ms"]
    names += ["CPU %", "CPU s/1000 events", "KB/stream", "peak RSS MB"]
    rows = []
    for streams in (*STREAMS, *([] if share is None else [int(share)])):
        what = f"{streams:,}" if streams in STREAMS else f"{streams:,} (60 % of the limit)"
        figures = [_figure(table.value(SLOW.format(streams), "antiphon", name)) for name in names]
        rows.append([what, *figures])
    head = ["open streams", "tokens a second", "late, median ms", "late, p99 ms", "the load alone, median ms"]
    head += [
        "the load alone, p99 ms",
        "CPU %",
        "CPU s for 1,000 tokens",
        "KB for a stream",
        "most memory, MB",
    ]
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
        "Loading all, s": "load s",
        "Start of a server that has them, s": "start of the server s",
        "Finding one: the very request, µs": "exact hit µs",
        "Finding one: the same in other words, µs": "canonical hit µs",
        "Finding one: other scores in a search result, µs": "volatile hit µs",
        "Finding that there is none, µs": "miss µs",
        "Finding none, and saying what is most like it, µs": "explained miss µs",
        f"Chat streams of {Options.chunks} chunks, a second": "chat streams/s",
    }
    rows = [[what, _figure(table.value(workload, "antiphon", name))] for what, name in names.items()]
    return _markdown([f"{Options.calls:,} recordings", ""], rows)


def _sizes(table: Table, servers: Sequence[str]) -> str:
    names = {"Memory at rest, MB": "idle RSS MB", "Installed, MB": "installed MB"}
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
    return "\n".join(["| | version | what runs it |", "| --- | --- | --- |", *rows])


def _built(python: Python) -> str:
    how = "with" if python.optimised else "without"
    return f"Python {python.version}, built {how} profile-guided optimisation"


def _missing(servers: Sequence[str]) -> str:
    names = [SHOWN[peer.name] for peer in PEERS if peer.name not in servers]
    return (
        f"\nNot in this run, for they are not installed or did not start: {', '.join(names)}.\n"
        if names
        else ""
    )


def main() -> None:
    """Writes the page of the file that the command line names."""
    about, table = machine.read(Path(sys.argv[1]))
    PAGE.write_text(page(about, table), encoding="utf-8")
    print(f"{PAGE.relative_to(Path.cwd())} is written")


if __name__ == "__main__":
    main()
