"""Deliveries of webhook events whose database fails, or whose server is killed, at any point."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.durable.worker import Execution
from antiphon.engine.request_context import RequestContext
from antiphon.errors import StoreUnavailable
from antiphon.net.guard import Guard
from antiphon.service.responses.sealing import Sealing
from antiphon.service.webhooks.webhooks import Webhooks
from antiphon.store import Store
from antiphon.store.webhooks.rows import DeliveryLimits
from antiphon.wire.webhooks import CreateWebhookEndpoint
from tests.durable.batching import FailingStore
from tests.durable.crashing import Crash
from tests.durable.processes import ASK, processes
from tests.durable.test_kills import pause
from tests.server.client import get, post
from tests.store.conftest import Run
from tests.store.samples import ME
from tests.store.webhooks.samples import count_deliveries
from tests.support.thorough import often
from tests.support.upstream import Request, Upstream, reply


@pytest.fixture
def receiver() -> Iterator[Upstream]:
    with Upstream() as receiver:
        receiver.script(reply({}))
        yield receiver


def ids(requests: list[Request]) -> set[str]:
    """Return the IDs of the events that have arrived."""
    return {each.headers["webhook-id"] for each in requests}


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("crashes", [False, True])
def test_an_event_survives_the_failure_of_any_store_call(
    store: Store, run: Run, receiver: Upstream, *, crashes: bool, is_committed: bool
) -> None:
    async def deliver(webhooks: Webhooks) -> bool:
        """Make the next attempt, as the next server does; return whether there was one."""
        claimed = await store.webhooks.claim((), DeliveryLimits())
        if claimed is not None:
            await webhooks.deliver(Execution(claimed))
        return claimed is not None

    async def scenario() -> None:
        webhooks = Webhooks(store, Guard(["127.0.0.1"]), Sealing("secret"))
        url = f"http://127.0.0.1:{receiver.port}/hook"
        endpoint = CreateWebhookEndpoint(name="n", url=url, event_types=["batch.completed"])
        await webhooks.create(RequestContext(owner=ME), endpoint)
        at, has_failed, failures = 0, True, 0
        while has_failed:
            at += 1
            receiver.requests.clear()
            await store._database.write(lambda c: store.webhooks.queue(c, ME, "batch.completed", "batch_1"))

            def error() -> BaseException:
                return Crash() if crashes else StoreUnavailable("no")

            failing = FailingStore(store, at, is_committed=is_committed, error=error, and_after=crashes)
            with failing, contextlib.suppress(Crash, StoreUnavailable):
                await deliver(webhooks)
            has_failed = failing.count >= at
            failures += has_failed
            while await deliver(webhooks):
                pass
            assert await count_deliveries(store) == 0
            assert 1 <= len(receiver.requests) <= 2, at
            assert len(ids(receiver.requests)) == 1, at
        assert failures >= 2
        await webhooks.close()

    run(scenario())


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.timeout(120)
def test_kills_lose_no_event_and_repeat_its_id(url: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    with Upstream() as receiver, processes(tmp_path, url) as (servers, backend, _):
        receiver.script(reply({}))
        servers.variables["ANTIPHON_ALLOW_HOSTS"] = "127.0.0.1"
        backend.pause = 0.002
        one, two = (server.url for server in servers.pair())
        hook = {
            "name": "n",
            "url": f"http://127.0.0.1:{receiver.port}/hook",
            "event_types": ["response.completed"],
        }
        assert post(one, "/webhook_endpoints", hook).status == 200
        created: list[str] = []
        for _ in range(often(1, 4)):
            created += [post(one, "/responses", ASK).json["id"] for _ in range(6)]
            pause(chance.uniform(0.05, 0.4))
            servers.kill(0)
            one = servers.server(0).url

        def arrived() -> Counter[str]:
            events = [each.json for each in list(receiver.requests)]
            return Counter(event["data"]["id"] for event in events)

        deadline = time.monotonic() + 60
        while set(arrived()) != set(created):
            assert time.monotonic() < deadline, set(created) - set(arrived())
            threading.Event().wait(0.05)
        assert {get(two, f"/responses/{each}").json["status"] for each in created} == {"completed"}
        by_response: dict[str, set[str]] = {}
        for each in list(receiver.requests):
            by_response.setdefault(each.json["data"]["id"], set()).add(each.headers["webhook-id"])
        assert all(len(found) == 1 for found in by_response.values())
        print({"events": len(created), "deliveries": len(receiver.requests)})  # noqa: T201
