"""Places for lines."""

import asyncio
from collections.abc import Coroutine

from antiphon.service.batches import slots as module
from antiphon.service.batches.slots import LineLimits, Slots


async def settled(*works: Coroutine[object, object, None]) -> list[bool]:
    """Return which coroutines end at once."""
    tasks = [asyncio.ensure_future(work) for work in works]
    for _ in range(5):
        await asyncio.sleep(0)
    done = [task.done() for task in tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


def test_each_limit_holds() -> None:
    async def scenario() -> None:
        process = Slots(LineLimits(per_process=2), lambda: 0)
        assert await settled(*(process.take(str(owner), str(owner)) for owner in range(3))) == [
            True,
            True,
            False,
        ]
        owners = Slots(LineLimits(per_owner=1), lambda: 0)
        assert await settled(owners.take("a", "x"), owners.take("a", "y"), owners.take("b", "z")) == [
            True,
            False,
            True,
        ]
        backends = Slots(LineLimits(per_backend=1), lambda: 0)
        assert await settled(backends.take("a", "x"), backends.take("b", "x")) == [True, False]

    asyncio.run(scenario())


def test_the_owner_with_the_fewest_lines_is_next() -> None:
    async def scenario() -> None:
        slots = Slots(LineLimits(per_process=3), lambda: 0)
        for owner in ("a", "a", "b"):
            await slots.take(owner, "x")
        admitted: list[str] = []

        async def wait(owner: str) -> None:
            await slots.take(owner, "x")
            admitted.append(owner)

        tasks = [asyncio.ensure_future(wait(owner)) for owner in ("a", "a", "c", "b")]
        await asyncio.sleep(0)
        for owner in ("b", "a", "a"):
            slots.give_back(owner, "x")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert admitted == ["c", "b", "a"]
        slots.give_back("c", "x")
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_other_calls_take_the_places_except_the_last() -> None:
    others = [10]

    async def scenario() -> None:
        running = 0
        slots = Slots(LineLimits(per_process=3), lambda: others[0] + running)
        await slots.take("a", "x")
        running = 1
        waiting = asyncio.ensure_future(slots.take("a", "x"))
        await asyncio.sleep(0)
        assert not waiting.done()
        others[0] = 1
        async with asyncio.timeout(20):
            await waiting  # It looks again after a moment.

    asyncio.run(scenario())


def test_a_cancelled_wait_leaves_its_place_to_the_next() -> None:
    async def scenario() -> None:
        slots = Slots(LineLimits(per_process=1), lambda: 0)
        await slots.take("a", "x")
        first = asyncio.ensure_future(slots.take("a", "x"))
        second = asyncio.ensure_future(slots.take("a", "x"))
        await asyncio.sleep(0)
        first.cancel()
        slots.give_back("a", "x")
        await second
        # A place that was given just before the cancellation is given back.
        third = asyncio.ensure_future(slots.take("a", "x"))
        fourth = asyncio.ensure_future(slots.take("a", "x"))
        await asyncio.sleep(0)
        slots.give_back("a", "x")
        third.cancel()
        await fourth
        assert (first.cancelled(), third.cancelled()) == (True, True)

    assert module._AGAIN < 1
    asyncio.run(scenario())
