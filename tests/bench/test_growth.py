"""Classes of growth, and the section of the performance page."""

import pytest

from bench.growth import growth, markdown, operations, section, with_section
from bench.table import Table
from tests.bench.test_page import ABOUT


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (8.0, "constant"),
        (14.9, "constant"),
        (15.1, "logarithmic"),
        (21.0, "part linear"),
        (499.0, "part linear"),
        (501.0, "linear"),
        (2001.0, "more than linear"),
    ],
)
def test_growth_compares_the_cost_with_the_rows(last: float, found: str) -> None:
    assert growth(10.0, last, 100.0) == found


def test_a_row_has_each_size_and_the_growth() -> None:
    table = Table()
    for size, cpu in ((1000, 2.0), (100_000, 300.0)):
        table.add("list responses", f"SQLite {size}", {"CPU ms": cpu, "wall ms": 2 * cpu})
    shown = markdown(table, "SQLite", [1000, 100_000])
    assert shown.splitlines() == [
        "| SQLite | 1,000 | 100,000 | growth |",
        "| --- | --: | --: | --- |",
        "| List responses | 2.00 / 4.00 | 300 / 600 | linear |",
    ]


def test_the_section_of_the_page_is_replaced() -> None:
    page = "# Performance\n\n## Start\n\nold\n"
    once = with_section(page, section(ABOUT, ["first table"]))
    assert "## Start\n\nold\n\n## Growth\n" in once
    assert "commit\nabc1234" in once
    assert "first table" in once
    assert "used\n25% of the machine" in once
    followed = f"{once}\n## Next\n\nrest\n"
    again = with_section(followed, section(ABOUT, ["second table"]))
    assert "first table" not in again
    assert again.count("## Growth") == 1
    assert again.index("second table") < again.index("\n## Next\n\nrest\n")


def test_each_operation_has_one_name() -> None:
    names = [operation.name for operation in operations(1000)]
    assert len(set(names)) == len(names)
    assert {"get a response", "delete a response", "delete a vector store"} <= set(names)
