"""The delivery of webhook events."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise

import msgspec
import pytest
from openai import OpenAI

from antiphon.durable.worker import Execution
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.net.guard import Guard
from antiphon.service.responses.sealing import Sealing
from antiphon.service.webhooks import sending
from antiphon.service.webhooks import webhooks as module
from antiphon.service.webhooks.webhooks import Webhooks, pause_after
from antiphon.store import Store
from antiphon.store.webhooks.rows import ClaimedDelivery
from antiphon.wire.webhooks import CreateWebhookEndpoint, WebhookEndpoint
from tests.store.conftest import Run
from tests.store.samples import ME
from tests.store.webhooks.samples import count_deliveries
from tests.support.upstream import Upstream, html, reply, silence

MOST = 12


class Hooks:
    """The webhooks of a server over a database in memory."""

    def __init__(self, store: Store, *, secret: str = "secret") -> None:
        self.store = store
        self.webhooks = Webhooks(store, Guard(["127.0.0.1"]), Sealing(secret))

    async def endpoint(self, receiver: Upstream, owner: str = ME) -> WebhookEndpoint:
        """Create an endpoint."""
        url = f"http://127.0.0.1:{receiver.port}/hook"
        request = CreateWebhookEndpoint(name="n", url=url, event_types=["batch.completed"])
        return await self.webhooks.create(RequestContext(owner=owner), request)

    async def queue(self, object_id: str = "batch_1", owner: str = ME) -> None:
        """Queue an event, and notify the worker."""
        await self.store._database.write(
            lambda c: self.store.webhooks.queue(c, owner, "batch.completed", object_id)
        )
        self.store.webhooks.notify()

    async def until_left(self, left: int) -> None:
        """Wait until a number of deliveries is left."""
        async with asyncio.timeout(20):
            while await count_deliveries(self.store) != left:  # noqa: ASYNC110 (a thread changes it)
                await asyncio.sleep(0.005)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that another thread changes."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def store(run: Run, now: list[float]) -> Iterator[Store]:
    opened = run(Store.open(":memory:", clock=lambda: now[0]))
    yield opened
    run(opened.close())


@pytest.fixture
def receiver() -> Iterator[Upstream]:
    with Upstream() as receiver:
        yield receiver


def test_a_failed_delivery_is_repeated_with_the_same_id(
    store: Store, run: Run, receiver: Upstream, now: list[float]
) -> None:
    async def scenario() -> None:
        hooks = Hooks(store)
        endpoint = await hooks.endpoint(receiver)
        receiver.script(reply({}, status=503), reply({}, status=302, Location="/other"), reply({}))
        await hooks.queue()
        for attempt in range(1, 4):
            await until(lambda: len(receiver.requests) == attempt and not hooks.webhooks.active)  # noqa: B023
            now[0] += 1000
            hooks.webhooks.wake()
        await hooks.until_left(0)
        assert len(receiver.requests) == 3
        assert len({each.headers["webhook-id"] for each in receiver.requests}) == 1
        assert len({each.body for each in receiver.requests}) == 1
        client = OpenAI(api_key="none")
        for each in receiver.requests:
            event = client.webhooks.unwrap(each.body, each.headers, secret=str(endpoint.signing_secret))
            assert event.data.id == "batch_1"  # type: ignore[union-attr]
        await hooks.webhooks.close()

    run(scenario())


def test_a_slow_endpoint_holds_up_no_other(store: Store, run: Run, receiver: Upstream) -> None:
    async def scenario() -> None:
        hooks = Hooks(store)
        with Upstream() as slow:
            slow.script(silence())
            receiver.script(reply({}))
            await hooks.endpoint(slow)
            for number in range(MOST):
                await hooks.queue(f"batch_{number}")
            await until(slow.hanging.is_set)
            await hooks.endpoint(receiver, "you")
            for number in range(MOST):
                await hooks.queue(f"batch_{number}", "you")
            await hooks.until_left(MOST)
            assert len(receiver.requests) == MOST
            assert len(slow.requests) == 2  # The limit of one endpoint
            await hooks.webhooks.close()

    run(scenario())


def test_a_response_without_an_end_times_out_and_its_body_is_not_read(
    store: Store, run: Run, receiver: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        hooks = Hooks(store)
        await hooks.endpoint(receiver)
        receiver.script(html("x" * 10_000_000))
        await hooks.queue()
        await hooks.until_left(0)
        monkeypatch.setattr(sending, "_SECONDS", 0.05)
        receiver.script(silence())
        await hooks.queue()
        await until(receiver.disconnected.is_set)
        await until(lambda: not hooks.webhooks.active)
        assert await count_deliveries(store, attempted=True) == 1
        await hooks.webhooks.close()

    run(scenario())


@pytest.mark.parametrize("limit", ["_MOST_ATTEMPTS", "_MOST_SECONDS"])
def test_an_event_is_given_up_after_some_attempts_and_after_some_days(
    store: Store, run: Run, receiver: Upstream, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(module, limit, 0)

    async def scenario() -> None:
        hooks = Hooks(store)
        await hooks.endpoint(receiver)
        receiver.script(reply({}, status=500))
        await hooks.queue()
        await hooks.until_left(0)
        assert len(receiver.requests) == 1
        await hooks.webhooks.close()

    run(scenario())


def test_an_interrupted_delivery_is_repeated_by_another_server(
    store: Store, run: Run, receiver: Upstream
) -> None:
    async def scenario() -> None:
        first = Hooks(store)
        await first.endpoint(receiver)
        receiver.script(silence(), reply({}))
        await first.queue()
        await until(receiver.hanging.is_set)
        await first.webhooks.close()
        second = Hooks(store)
        second.webhooks.wake()
        await second.until_left(0)
        one, two = receiver.requests
        assert one.headers["webhook-id"] == two.headers["webhook-id"]
        await second.webhooks.close()

    run(scenario())


def test_nothing_is_sent_without_the_secret(store: Store, run: Run, receiver: Upstream) -> None:
    async def scenario() -> None:
        await Hooks(store).endpoint(receiver)
        other = Hooks(store, secret="another seal key")
        await other.queue()
        async with asyncio.timeout(20):
            while await count_deliveries(store, attempted=True) == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert receiver.requests == []
        await other.webhooks.close()

    run(scenario())


def test_an_address_that_becomes_private_is_not_called(store: Store, run: Run, receiver: Upstream) -> None:
    async def scenario() -> None:
        hooks = Hooks(store)
        endpoint = await hooks.endpoint(receiver)
        strict = Webhooks(store, Guard([]), Sealing("secret"))
        delivery = ClaimedDelivery(
            id="evt_1",
            owner=ME,
            epoch=1,
            event_type="batch.completed",
            object_id="batch_1",
            created_at=1.0,
            url=endpoint.url,
            secret=(await store.webhooks.get(ME, endpoint.id)).secret,
            old_secret=None,
            old_until=None,
        )
        await strict.deliver(Execution(delivery))
        assert receiver.requests == []
        await strict.close()
        await hooks.webhooks.close()

    run(scenario())


def test_the_secret_is_encrypted_in_the_database(store: Store, run: Run, receiver: Upstream) -> None:
    async def scenario() -> None:
        hooks = Hooks(store)
        endpoint = await hooks.endpoint(receiver)
        stored = await store.webhooks.get(ME, endpoint.id)
        secret = str(endpoint.signing_secret)
        assert secret[6:-1] not in msgspec.json.encode(stored).decode()
        assert Sealing("secret").open(ME, stored.secret) == secret.encode()
        await hooks.webhooks.close()

    run(scenario())


def test_an_owner_has_a_maximum_of_endpoints(
    store: Store, run: Run, receiver: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ENDPOINTS", 2)

    async def scenario() -> None:
        hooks = Hooks(store)
        await hooks.endpoint(receiver)
        await hooks.endpoint(receiver)
        with pytest.raises(InvalidRequest) as refused:
            await hooks.endpoint(receiver)
        assert refused.value.code == "too_many_webhook_endpoints"
        await hooks.endpoint(receiver, "you")
        await hooks.webhooks.close()

    run(scenario())


def test_pauses_grow_and_differ() -> None:
    pauses = [pause_after(attempt) for attempt in range(1, 21)]
    assert 3.75 <= pauses[0] <= 6.25
    assert all(later > earlier for earlier, later in pairwise(pauses[:7]))
    assert max(pauses) <= 1.25 * 21_600
    assert pause_after(5) != pause_after(5)
