"""Counts of costs, and limits of 15 % above a measured cost."""

from tests.costs.counting import MARGIN, Cost, counted, limit


def cost_of(times: int) -> Cost:
    def work() -> None:
        for _ in range(times):
            len("")

    with counted() as cost:
        work()
    return cost


def test_a_limit_is_15_percent_above_the_measured_cost() -> None:
    assert MARGIN == 1.15
    assert 114 < limit(100) < 116


def test_more_work_costs_more() -> None:
    less, more = cost_of(100), cost_of(200)
    assert more.calls - less.calls == 100
    assert more.instructions > 1.5 * less.instructions
