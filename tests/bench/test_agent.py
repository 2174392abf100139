"""The benchmark of the agent."""

from bench.agent import call, measured, text


def test_all_three_ways_read_the_same_streams() -> None:
    figures = measured(1, call(), text(3))
    assert len(figures) == 3
    assert all(figure > 0 for figure in figures)
