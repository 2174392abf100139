"""Tables of figures, and their calculation from the rounds of a run."""

import pytest

from bench.client import Figures
from bench.table import Table, short, summary


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.0405, "0.0405"), (0.4, "0.400"), (12.34, "12.3"), (490.4, "490"), (2287.4, "2,287")],
)
def test_three_digits_count_and_none_is_a_power_of_ten(value: float, shown: str) -> None:
    assert short(value) == shown


def test_a_summary_is_of_medians_and_keeps_how_far_the_rates_lie_apart() -> None:
    rounds = [
        Figures(latencies=[0.001] * answers, seconds=2.0, cpu=cpu, peak=80_000_000)
        for answers, cpu in ((200, 0.2), (400, 0.8), (300, 0.3))
    ]
    values = summary(rounds)
    assert (values["lowest responses/s"], values["responses/s"], values["highest responses/s"]) == (
        100,
        150,
        200,
    )
    assert values["CPU ms/response"] == pytest.approx(1.0)
    assert values["CPU %"] == pytest.approx(15.0)
    assert values["peak RSS MB"] == 80


def test_a_ratio_needs_both_servers() -> None:
    table = Table()
    table.add("W1", "antiphon", {"responses/s": 30.0})
    table.add("W1", "other", {"responses/s": 10.0})
    assert table.ratio("W1", "responses/s", "antiphon", "other") == 3
    assert table.ratio("W1", "responses/s", "antiphon", "missing") is None
