"""A day of operation with retention, by a clock that the test moves."""

from collections.abc import Sequence

import pytest

from antiphon.store import Store
from antiphon.store.retention.expired import EXPIRIES
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import file
from tests.store.retention.test_records import Clock, respond_at
from tests.store.runs.samples import claimed, ending, submit
from tests.store.samples import ME, begin_in, converse, count_rows, finished
from tests.support.thorough import often

pytestmark = pytest.mark.processes

HOUR = 3600.0
STEP = HOUR / often(1, 12)
"""Seconds between two looks for expired objects: an hour, or five minutes in a thorough run."""
AGE = 3 * HOUR


async def work(store: Store, number: int, now: float) -> None:
    """Store one object of each kind that expires."""
    await respond_at(store, f"resp_{number}", now)
    await converse(store, f"conv_{number}", f"in_conv_{number}")
    await begin_in(store, f"conv_{number}", f"turn_{number}", f"asks_{number}")
    await store.pending.finish(ME, finished(f"turn_{number}", f"answers_{number}"))
    await submit(store, f"run_{number}", at=now)
    await store.runs.end(ending(await claimed(store), 2, f"ran_{number}"))
    await store.files.add(ME, file(f"file-{number}", at=now))
    assert (await store.idempotency.claim(ME, f"key_{number}")).granted
    await store.idempotency.keep(ME, f"key_{number}", b"answer")


async def tidy(store: Store) -> None:
    """Do what a server does beside its requests."""
    await store.servers.heartbeat()
    await store.servers.recover(20)
    for kind in EXPIRIES:
        async for _ in store.expiry.remove(kind, AGE):
            pass
    await store.deletions.remove_all()
    await store.idempotency.delete_expired()
    await store.usage.delete_old()
    await store.log.index_a_few()
    await store.log.delete_excess()


def test_D11_a_day_with_retention_leaves_no_more_rows_than_its_first_hours(
    open_store: OpenStore, url: str, run: Run
) -> None:
    clock = Clock()
    store = open_store(clock=clock)
    steps = int(HOUR / STEP)
    rows: dict[int, dict[str, int]] = {}

    async def hours(numbers: Sequence[int]) -> None:
        for number in numbers:
            await work(store, number, clock.now)
            clock.now += STEP
            await tidy(store)

    for hour in range(36):
        run(hours(range(hour * steps, (hour + 1) * steps)))
        if hour in (5, 26, 35):
            rows[hour] = count_rows(url)
    kept_for_a_day = {"idempotency_keys"}
    assert rows[5]["responses"] > 0
    assert rows[5]["run_events"] > 0
    for table, number in rows[5].items():
        if table not in kept_for_a_day:
            assert rows[35][table] <= number, table
    # The number of keys is the same from the second day on.
    assert rows[35]["idempotency_keys"] <= rows[26]["idempotency_keys"]
