"""Cancellations that race with the end of their response, and clients that leave at any event."""

import asyncio
import os
import random

import msgspec
import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.ids import new_id
from antiphon.store import Store
from antiphon.store.runs.rows import RunLimits
from antiphon.wire.responses import Response
from tests.durable.crashing import HarmlessTool, Servers
from tests.service.world import ME
from tests.store.conftest import Run

RACES = int(os.environ.get("ANTIPHON_RACES", "60"))
"""Number of races; 1000 for a thorough run."""


@pytest.mark.timeout(300)
def test_D17_a_cancellation_or_the_end_wins_and_both_agree(store: Store, run: Run) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)

    async def race(servers: Servers) -> str:
        context = RequestContext(owner=ME, ids=new_id)
        queued = await servers.background.submit(context, servers.request(), None)
        await asyncio.sleep(chance.uniform(0, 0.3))
        cancelled = await servers.background.cancel(ME, queued.id)
        page = await store.runs.events_after(queued.id, -1)
        assert page is not None
        assert page.has_ended
        events = [msgspec.json.decode(event) for event in page.events]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        last = msgspec.convert(events[-1]["response"], Response)
        stored = await servers.responses.get(ME, queued.id)
        assert stored == cancelled
        assert (last.status, last.output) == (stored.status, stored.output)
        ends = [event["type"] for event in events if event["type"].endswith((".completed", ".incomplete"))]
        assert [end for end in ends if "call" not in end] == [events[-1]["type"]]
        again = await servers.background.cancel(ME, queued.id)
        assert again == cancelled
        return stored.status

    async def scenario() -> None:
        servers = Servers(store, HarmlessTool(), limits=RunLimits(per_owner=4))
        outcomes: list[str] = []

        async def several() -> None:
            for _ in range(RACES // 4):
                outcomes.append(await race(servers))

        await asyncio.gather(*[several() for _ in range(4)])
        await servers.background.close()
        assert set(outcomes) <= {"completed", "cancelled"}
        print({outcome: outcomes.count(outcome) for outcome in set(outcomes)})  # noqa: T201

    run(scenario())


def test_D13_a_client_leaves_at_every_event(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store, HarmlessTool(), limits=RunLimits())
        context = RequestContext(owner=ME, ids=new_id)
        length = 3
        leave = 0
        while leave < length:
            queued = await servers.background.submit(context, servers.request(), None)
            seen = 0
            events = await servers.background.follow(ME, queued.id, -1)
            async for page in events:
                seen += len(page.events)
                if seen > leave:
                    break
            await events.aclose()
            rest = await servers.background.follow(ME, queued.id, -1)
            length = sum([len(page.events) async for page in rest])
            assert (await servers.responses.get(ME, queued.id)).status == "completed"
            leave += 5
        await servers.background.close()

    run(scenario())
