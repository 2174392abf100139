"""Long work leaves the event loop to others between its slices."""

import asyncio
from collections.abc import Sequence

import pytest

from antiphon.engine.slices import SLICE, in_slices
from tests.support.immediate import at_once


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1, 3 * SLICE, 3 * SLICE + 5])
def test_every_item_is_in_one_slice_and_in_order(count: int) -> None:
    slices: list[Sequence[int]] = []
    asyncio.run(in_slices(slices.append, range(count)))
    assert [item for some in slices for item in some] == list(range(count))
    assert all(len(some) <= SLICE for some in slices)


def test_few_items_do_not_wait() -> None:
    done: list[int] = []
    at_once(in_slices(done.extend, range(SLICE)))
    assert len(done) == SLICE


def test_others_are_served_between_slices() -> None:
    order: list[str] = []

    async def others() -> None:
        for _ in range(3):
            order.append("other")
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(in_slices(lambda some: order.append("slice"), range(3 * SLICE)), others())

    asyncio.run(run())
    assert order == ["slice", "other"] * 3


def test_an_error_ends_the_work() -> None:
    seen: list[int] = []

    def work(some: Sequence[int]) -> None:
        seen.extend(some)
        if SLICE in some:
            raise LookupError("no such item")

    with pytest.raises(LookupError):
        asyncio.run(in_slices(work, range(5 * SLICE)))
    assert len(seen) == 2 * SLICE
