"""Frozen ids and times, as a function of scope and order."""

import re

from antiphon.ids import SHORT
from antiphon.recording.seam.frozen import Freeze


def test_two_runs_give_the_same_ids_and_times() -> None:
    def run() -> list[object]:
        freeze = Freeze()
        made: list[object] = []
        for scope in ("a", "b", "a"):
            clock, ids = freeze.begin(scope)
            made += [clock(), ids("resp"), ids("msg"), clock()]
        return made

    first = run()
    assert first == run()
    assert len({id for id in first if isinstance(id, str)}) == 6


def test_requests_at_the_same_time_do_not_take_each_others_ids() -> None:
    one, other = Freeze(), Freeze()
    _, first = one.begin("a")
    _, second = one.begin("a")
    mixed = [first("msg"), second("msg"), first("msg"), second("msg")]
    _, first = other.begin("a")
    _, second = other.begin("a")
    apart = [first("msg"), first("msg"), second("msg"), second("msg")]
    assert [mixed[0], mixed[2], mixed[1], mixed[3]] == apart


def test_ids_look_like_others() -> None:
    _, ids = Freeze().begin("a")
    assert re.fullmatch("resp_[0-9a-f]{50}", ids("resp"))
    assert re.fullmatch("conv_[0-9a-f]{48}", ids("conv", SHORT))


def test_time_stands_still_in_a_request_and_goes_on_with_the_next() -> None:
    freeze = Freeze()
    first, _ = freeze.begin("a")
    second, _ = freeze.begin("a")
    assert first() == first()
    assert second() - first() == 1
