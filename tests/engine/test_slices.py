"""Long work leaves the event loop to others, between its slices or in a thread."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from antiphon.engine.slices import SLICE, in_slices, in_thread, mapped
from tests.support.immediate import at_once


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1, 3 * SLICE, 3 * SLICE + 5])
def test_every_item_is_in_one_slice_and_in_order(count: int) -> None:
    slices: list[Sequence[int]] = []
    asyncio.run(in_slices(slices.append, range(count)))
    assert [item for some in slices for item in some] == list(range(count))
    assert all(len(some) <= SLICE for some in slices)


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1, 3 * SLICE + 5])
def test_each_item_has_its_result_in_order(count: int) -> None:
    assert asyncio.run(mapped(str, range(count))) == [str(number) for number in range(count)]


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


def test_a_cancelled_task_holds_its_lock_until_the_thread_has_ended() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        may_end.wait(30)
        ended.set()

    async def run() -> None:
        lock = asyncio.Lock()

        async def locked() -> None:
            async with lock:
                await in_thread(work)

        task = asyncio.create_task(locked())
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert lock.locked()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()
        assert not lock.locked()

    asyncio.run(run())


def test_the_result_and_the_error_of_a_thread_reach_the_caller() -> None:
    assert asyncio.run(in_thread(lambda: 7)) == 7
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda: 1 // 0))
