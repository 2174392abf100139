"""Performance page, written from the figures of a run."""

from bench.machine import About, Peer, Python
from bench.page import page
from bench.table import Table
from bench.workloads import FIRST_DELTA

PYTHON = Python("3.12.1", optimized=False)
ABOUT = About(
    date="2030-01-02",
    commit="abc1234",
    command="python -m bench --peers",
    cpu="A processor",
    cores=2,
    kernel="Linux 7",
    python=Python("3.13.2", optimized=True),
    peers={"agentic-api": Peer("0.9.0", PYTHON), "ogx": Peer("1.5.0", PYTHON)},
    other_load=0.25,
)
STORED = "W2 stream of 200 tokens, stored"


def a_run() -> Table:
    """Return some figures of two servers; the third did not run."""
    table = Table()
    for server, rate, late in (("antiphon", 1200.0, 8.0), ("agentic-api", 400.0, 16.0)):
        values = {"responses/s": rate, "lowest responses/s": rate - 10, "highest responses/s": rate + 10}
        table.add(STORED, server, {**values, "p50 ms": late / 2, "p99 ms": late})
    table.add(FIRST_DELTA, "antiphon", {"first delta p50 ms": 0.42, "first delta p99 ms": 0.9})
    table.add(FIRST_DELTA, "backend alone", {"first delta p50 ms": 0.02, "first delta p99 ms": 0.1})
    return table


def test_goals_stand_beside_what_was_reached() -> None:
    text = page(ABOUT, a_run())
    assert "responses per second, Antiphon / agentic-api | at least 3 | 3.00 |" in text
    assert "p99, Antiphon / agentic-api | at most 1 | 0.500 |" in text
    assert "First delta for a single client, minus the backend's own time, ms | at most 0.6 | 0.400 |" in text


def test_figures_stand_in_the_column_of_their_server() -> None:
    text = page(ABOUT, a_run())
    assert "| Stream of 200 tokens, stored | 1,200 (1,190 to 1,210) | 400 (390 to 410) |" in text
    assert "| Stream of 200 tokens, stored | 4.00 / 8.00 | 8.00 / 16.0 |" in text


def test_the_page_names_the_machine_and_the_pythons() -> None:
    text = " ".join(page(ABOUT, a_run()).split())
    assert "2 cores of A processor, Linux 7" in text
    assert "used 25% of the machine" in text
    assert "Python 3.13.2, built with profile-guided optimization" in text


def test_what_did_not_run_is_said() -> None:
    text = page(ABOUT, a_run())
    assert "Not in this run, because they aren't installed or didn't start: LiteLLM, OGX." in text
    assert "| JSON, stored | - | - |" in text
