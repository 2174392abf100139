"""The queue of batches."""

import pytest

from antiphon.store import Store
from antiphon.store.batches.rows import BatchLimits, LineResult, NewBatch
from antiphon.store.runs.rows import Fenced
from antiphon.wire.batches import BatchInputDetails, BatchUsage
from antiphon.wire.lists import PageQuery
from tests.store.conftest import Run
from tests.store.samples import ME

MANY = BatchLimits()
USAGE = BatchUsage(input_tokens=5, input_tokens_details=BatchInputDetails(2), output_tokens=3, total_tokens=8)


async def submit(
    store: Store, batch_id: str, owner: str = ME, *, at: float = 1.0, seconds: float = 60
) -> None:
    new = NewBatch(id=batch_id, created_at=at, seconds=seconds, body="{}", context="{}", output_seconds=None)
    await store.batches.submit(owner, new)


async def claimed(store: Store, limits: BatchLimits = MANY, *active: str) -> str | None:
    batch = await store.batches.claim(active, limits)
    return None if batch is None else batch.id


def result(batch_id: str, epoch: int, number: int, *, is_error: bool = False) -> LineResult:
    return LineResult(
        batch_id=batch_id, epoch=epoch, number=number, is_error=is_error, body="{}", usage=USAGE
    )


def test_the_owner_with_the_fewest_batches_is_next(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in range(3):
            await submit(store, f"mine_{number}", at=number)
        await submit(store, "other", "you", at=9)
        active: list[str] = []
        while (batch := await claimed(store, MANY, *active)) is not None:
            active.append(batch)
        assert active == ["mine_0", "other", "mine_1", "mine_2"]
        assert not await store.batches.is_waiting(active)
        assert await store.batches.is_waiting(active[1:])
        assert (await store.servers.waiting([], active, [])) == (False, False, False)
        assert (await store.servers.waiting([], [], [])) == (False, True, False)

    run(scenario())


def test_the_limit_of_an_owner_holds_except_for_expired_batches(store: Store, run: Run) -> None:
    async def scenario() -> None:
        limits = BatchLimits(per_owner=1)
        for number in range(2):
            await submit(store, f"batch_{number}", at=number)
        assert await claimed(store, limits) == "batch_0"
        assert await claimed(store, limits, "batch_0") is None
        await submit(store, "expired", at=5, seconds=-1)
        assert await claimed(store, limits, "batch_0") == "expired"

    run(scenario())


def test_results_are_counted_and_only_for_the_latest_execution(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "batch_1")
        await claimed(store)
        await claimed(store)  # Another server goes on.
        for number in range(1, 40):
            await store.batches.add_line(result("batch_1", 2, number, is_error=number > 30))
        with pytest.raises(Fenced):
            await store.batches.add_line(result("batch_1", 1, 40))
        stored = await store.batches.get(ME, "batch_1")
        assert (stored.completed, stored.failed) == (30, 9)
        assert (stored.input_tokens, stored.cached_tokens, stored.output_tokens) == (195, 78, 117)
        assert await store.batches.finished_lines("batch_1") == set(range(1, 40))
        lines = [line async for line in store.batches.lines("batch_1", is_error=False)]
        assert len(lines) == 30

    run(scenario())


def test_a_page_has_the_batches_of_one_owner(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "batch_1", at=1)
        await submit(store, "batch_2", at=2)
        await submit(store, "other", "you")
        page = await store.batches.page(ME, PageQuery(limit=1))
        assert ([row.id for row in page.rows], page.has_more) == (["batch_2"], True)

    run(scenario())
