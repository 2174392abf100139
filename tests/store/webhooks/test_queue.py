"""The queue of webhook deliveries."""

from pathlib import Path

import pytest
import sqlalchemy

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.runs.rows import Fenced, RunLimits
from antiphon.store.webhooks.queue import claim
from antiphon.store.webhooks.rows import DeliveryLimits, StoredEndpoint
from tests.store.conftest import Run
from tests.store.runs.samples import ending, event, submit
from tests.store.samples import ME, finished
from tests.store.webhooks.samples import count_deliveries

MANY = DeliveryLimits(per_owner=100, per_endpoint=100)


async def add(store: Store, endpoint_id: str, *types: str, owner: str = ME) -> None:
    """Store an endpoint."""
    quoted = ", ".join(f'"{each}"' for each in types or ("response.completed",))
    endpoint = StoredEndpoint(
        id=endpoint_id,
        created_at=1.0,
        updated_at=1.0,
        name="n",
        url="https://example.com/",
        event_types=f"[{quoted}]",
        secret="sealed",
        hint="hint",
    )
    await store.webhooks.add(owner, endpoint)


async def queue(store: Store, object_id: str, owner: str = ME) -> None:
    """Queue an event for the endpoints."""
    await store._database.write(lambda c: store.webhooks.queue(c, owner, "response.completed", object_id))


async def claimed(store: Store, *active: str, limits: DeliveryLimits = MANY) -> tuple[str, str] | None:
    """Claim a delivery; return its ID and its object."""
    found = await store.webhooks.claim(active, limits)
    return None if found is None else (found.id, found.object_id)


def test_the_end_of_a_run_queues_its_event_in_the_same_transaction(store: Store, run: Run) -> None:
    async def scenario() -> None:
        notified: list[bool] = []
        store.webhooks.on_queued = lambda: notified.append(True)
        await add(store, "whe_1")
        await add(store, "whe_2", "response.completed", "response.failed")
        await add(store, "whe_3", "response.failed")
        await add(store, "whe_4", owner="you")
        await submit(store, "resp_1")
        first = await store.runs.claim((), RunLimits())
        again = await store.runs.claim((), RunLimits())
        assert first is not None
        assert again is not None
        with pytest.raises(Fenced):
            await store.runs.end(ending(first, 2))
        assert await count_deliveries(store) == 0
        assert notified == []
        await store.runs.end(ending(again, 2))
        assert await count_deliveries(store) == 2
        assert notified == [True]
        delivery = await store.webhooks.claim((), MANY)
        assert delivery is not None
        assert (delivery.event_type, delivery.object_id) == ("response.completed", "resp_1")

    run(scenario())


def test_a_queued_response_that_is_cancelled_has_an_event(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await add(store, "whe_1", "response.cancelled")
        await submit(store, "resp_1")
        end = finished("resp_1", status="cancelled")
        assert await store.runs.cancel(ME, "resp_1", end, event(2)) == "queued"
        assert await store.runs.cancel(ME, "resp_1", end, event(3)) == "ended"
        assert await count_deliveries(store) == 1

    run(scenario())


def test_no_endpoint_takes_all_places(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await add(store, "whe_1")
        for number in range(3):
            await queue(store, f"resp_{number}")
        await add(store, "whe_2", owner="you")
        await queue(store, "resp_9", "you")
        limits = DeliveryLimits(per_endpoint=2)
        active: list[tuple[str, str]] = []
        while (delivery := await claimed(store, *(each for each, _ in active), limits=limits)) is not None:
            active.append(delivery)
        assert sorted(object_id for _, object_id in active) == ["resp_0", "resp_1", "resp_9"]
        assert await store.webhooks.is_waiting([each for each, _ in active])

    run(scenario())


def test_a_postponed_delivery_is_due_later_under_the_same_id(url: str, run: Run) -> None:
    now = [1000.0]

    async def scenario() -> None:
        store = await Store.open(url, clock=lambda: now[0])
        await add(store, "whe_1")
        await queue(store, "resp_1")
        delivery = await store.webhooks.claim((), MANY)
        assert delivery is not None
        await store.webhooks.postpone(delivery, 60)
        assert await claimed(store) is None
        assert not await store.webhooks.is_waiting([])
        now[0] += 61
        assert (await store.servers.waiting([], [], [])) == (False, False, True)
        again = await store.webhooks.claim((), MANY)
        assert again is not None
        assert (again.id, again.epoch) == (delivery.id, 2)
        # The first attempt was slower than the server's heartbeats: it changes nothing.
        await store.webhooks.end(delivery)
        await store.webhooks.postpone(delivery, 60)
        assert await store.webhooks.held([delivery.id]) == {delivery.id: False}
        await store.webhooks.end(again)
        assert await count_deliveries(store) == 0
        await store.close()

    run(scenario())


def test_a_deleted_endpoint_receives_nothing_more(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await add(store, "whe_1")
        await queue(store, "resp_1")
        await store.webhooks.delete(ME, "whe_1")
        assert await claimed(store) is None
        assert await count_deliveries(store) == 0

    run(scenario())


def test_a_claim_reads_one_delivery_of_each_endpoint_by_index(tmp_path: Path, run: Run) -> None:
    path = str(tmp_path / "state.db")

    async def create() -> None:
        await (await Store.open(path)).close()

    run(create())
    engine = open_engine(path).writing
    statements: list[tuple[str, tuple[object, ...]]] = []

    def note(_: object, __: object, statement: str, parameters: tuple[object, ...], *___: object) -> None:
        statements.append((statement, parameters))

    with engine.begin() as connection:
        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
        claim(connection, "server", ["evt_1"], MANY, 1000.0)
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
        plans = [
            str(row[3])
            for statement, parameters in statements
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    engine.dispose()
    reads = [plan for plan in plans if "webhook_deliveries" in plan]
    assert len(reads) == 2
    assert "USING INDEX webhook_deliveries_held" in reads[0]
    assert "USING INDEX webhook_deliveries_of_endpoints" in reads[1]
