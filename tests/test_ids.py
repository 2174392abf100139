import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest

from antiphon.ids import CALL, SHORT, new_id
from antiphon.wire.items import ITEM_PREFIXES, Item


def test_ids_have_openais_form() -> None:
    assert re.fullmatch(r"resp_[0-9a-f]{50}", new_id("resp"))
    assert re.fullmatch(r"conv_[0-9a-f]{48}", new_id("conv", SHORT))


def test_ids_differ() -> None:
    assert len({new_id("msg") for _ in range(1000)}) == 1000


def test_ids_made_in_several_threads_differ() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda size: new_id("msg", size), [CALL, SHORT] * 1000))
    assert len({each[-10:] for each in made}) == len(made)


def test_ids_sort_by_the_time_at_which_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for moment in (1_700_000_000, 1_700_000_001, 4_000_000_000):
        monkeypatch.setattr(time, "time_ns", lambda at=moment: at * 10**9)
        made.append(new_id("resp"))
        assert {new_id("resp")[:15] for _ in range(100)} == {made[-1][:15]}
    assert made == sorted(made)


def test_short_ids_are_random_throughout() -> None:
    """Twelve bytes are too few for the time."""
    assert len({new_id("call", CALL)[:16] for _ in range(100)}) == 100


def test_every_item_type_has_a_prefix_of_its_own() -> None:
    assert set(ITEM_PREFIXES) == {item.__struct_config__.tag for item in get_args(Item)}
    assert len(set(ITEM_PREFIXES.values())) == len(ITEM_PREFIXES)
