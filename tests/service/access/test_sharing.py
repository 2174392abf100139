"""Limits of a key at two servers that share a database."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest

from antiphon.errors import StoreUnavailable
from antiphon.service.access.errors import RateLimited
from antiphon.service.access.limits import Limits, Meter
from antiphon.service.access.sharing import SharedMeter
from antiphon.store import Store
from antiphon.store.sharing.usage import Charge


class Servers:
    """Two servers with the meters of one key."""

    def __init__(self, path: str, runner: asyncio.Runner) -> None:
        self.run = runner.run
        self.stores = [runner.run(Store.open(path, clock=lambda: 1000.0)) for _ in range(2)]

    async def written(self) -> None:
        """Wait until the database has what both servers have counted."""
        for store in self.stores:
            await store.servers.heartbeat()

    def meters(self, **limits: int) -> list[SharedMeter]:
        return [SharedMeter(store.usage, "k", Meter(Limits(**limits), lambda: 0.0)) for store in self.stores]


@pytest.fixture
def servers(sqlite_template: Path, tmp_path: Path) -> Iterator[Servers]:
    path = copy(sqlite_template, tmp_path)
    with asyncio.Runner() as runner:
        opened = Servers(str(path), runner)
        yield opened
        for store in opened.stores:
            runner.run(store.close())


def test_a_request_over_the_limit_of_all_servers_is_refused(servers: Servers) -> None:
    one, other = servers.meters(requests_per_minute=2)
    servers.run(one.begin_request())
    servers.run(other.begin_request())
    for meter in (one, other):
        with pytest.raises(RateLimited) as caught:
            servers.run(meter.begin_request())
        assert caught.value.headers == {"retry-after": "30", "retry-after-ms": "30000"}


def test_the_headers_show_the_usage_at_all_servers(servers: Servers) -> None:
    limits = Limits(requests_per_minute=10)
    meter = Meter(limits, lambda: 0.0)
    one, other = SharedMeter(servers.stores[0].usage, "k", meter), servers.meters(requests_per_minute=10)[1]
    for each in (other, other, one):
        servers.run(each.begin_request())
    assert dict(meter.headers())[b"x-ratelimit-remaining-requests"] == b"7"


def test_tokens_that_one_server_has_used_hold_back_the_other(servers: Servers) -> None:
    one, other = servers.meters(tokens_per_minute=60)

    async def spend() -> None:
        await one.begin_request()
        one.spend(60)
        await servers.written()
        await other.begin_request()

    with pytest.raises(RateLimited, match="tokens per min"):
        servers.run(spend())


def test_a_stream_over_the_limit_of_all_servers_is_refused_until_one_ends(servers: Servers) -> None:
    one, other = servers.meters(concurrent_streams=2)

    async def scenario() -> None:
        await one.begin_stream()
        await other.begin_stream()
        for meter in (one, other, one):
            with pytest.raises(RateLimited, match="Limit 2, Used 2, Requested 1"):
                await meter.begin_stream()
        one.end_stream()
        await servers.written()
        await other.begin_stream()
        with pytest.raises(RateLimited):
            await one.begin_stream()

    servers.run(scenario())


def test_a_stream_whose_client_leaves_while_it_begins_does_not_count(servers: Servers) -> None:
    one, other = servers.meters(concurrent_streams=1)

    async def scenario() -> None:
        beginning = asyncio.create_task(one.begin_stream())
        await asyncio.sleep(0)
        beginning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beginning
        await servers.written()
        await other.begin_stream()

    servers.run(scenario())


def test_a_server_without_its_database_counts_alone(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Charge) -> None:
        raise StoreUnavailable("down")

    meter, _ = servers.meters(requests_per_minute=1, concurrent_streams=1)
    monkeypatch.setattr(servers.stores[0].usage, "charge", fail)
    servers.run(meter.begin_request())
    servers.run(meter.begin_stream())
    with pytest.raises(RateLimited, match="requests per min"):
        servers.run(meter.begin_request())
    with pytest.raises(RateLimited, match="concurrent streams"):
        servers.run(meter.begin_stream())
