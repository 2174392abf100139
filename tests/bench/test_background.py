"""The section of the performance page about event logs."""

from bench.background import IDLE, MODELS, WAYS, section
from bench.table import Table
from tests.bench.test_page import ABOUT


def test_each_way_is_compared_with_the_stream_in_the_foreground() -> None:
    table = Table()
    for number, way in enumerate(WAYS, 1):
        for model in MODELS:
            table.add(f"{way}, {model}", "SQLite", {"CPU ms": 2.0 * number, "ratio": float(number)})
    table.add("Resume at another server", "SQLite", {"p50 ms": 12.0, "p99 ms": 30.0})
    table.add(f"{IDLE}: no background response yet", "SQLite", {"CPU ms/s": 3.0})
    text = section(ABOUT, table, ["SQLite"], 3)
    assert "| | SQLite, 200 tokens at once | SQLite, 50 paced tokens |" in text
    assert "| Stream in the foreground | 2.00 (1.0 x) | 2.00 (1.0 x) |" in text
    assert "| Background response, polled | 8.00 (4.0 x) | 8.00 (4.0 x) |" in text
    assert "| Resume at another server | 12.0 / 30.0 |" in text
    assert "| No background response yet | 3.00 |" in text
    assert "the medians of 3 rounds" in text
