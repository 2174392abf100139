"""Usage of keys that several servers count together."""

import asyncio

import pytest

from antiphon.store import Store
from antiphon.store.sharing.usage import Charge
from tests.store.conftest import OpenStore, Run


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def charge(key: str = "k", *, requests: int | None = 3, tokens: int | None = None) -> Charge:
    return Charge(key_hash=key, requests_per_minute=requests, tokens_per_minute=tokens)


async def begin(store: Store, **limits: int | None) -> bool:
    wanted = charge(**limits)  # type: ignore[arg-type]  # No limit is the key.
    wanted.begins = True
    await store.usage.charge(wanted)
    return wanted.is_granted


async def spend(store: Store, amount: int) -> float:
    spent = charge(requests=None, tokens=60)
    spent.tokens = amount
    await store.usage.charge(spent)
    return spent.tokens_used


async def streams(store: Store, number: int, most: int | None) -> tuple[bool, int]:
    wanted = charge()
    wanted.streams, wanted.most_streams = number, most
    await store.usage.charge(wanted)
    return wanted.is_granted, wanted.streams_elsewhere


def test_servers_count_requests_together(open_store: OpenStore, run: Run) -> None:
    one, other = open_store(), open_store()
    assert [run(begin(each)) for each in (one, other, one, other, one)] == [True] * 3 + [False] * 2


def test_many_requests_at_once_get_no_more_than_the_limit(open_store: OpenStore, run: Run) -> None:
    stores = [open_store(), open_store()]

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(begin(stores[n % 2], requests=20) for n in range(60)))

    assert run(all_at_once()).count(True) == 20


def test_keys_in_any_order_wait_for_each_other_without_end(open_store: OpenStore, run: Run) -> None:
    stores = [open_store(), open_store()]

    async def all_at_once() -> None:
        names = [f"k{n}" for n in range(8)]
        for _ in range(5):
            await asyncio.gather(
                *(stores[0].usage.charge(charge(name)) for name in names),
                *(stores[1].usage.charge(charge(name)) for name in reversed(names)),
            )

    run(all_at_once())


def test_used_requests_come_back_at_a_constant_rate(open_store: OpenStore, run: Run) -> None:
    clock = Clock(1000.0)
    store = open_store(clock=clock)
    assert [run(begin(store)) for _ in range(4)] == [True, True, True, False]
    clock.now += 19.9
    assert not run(begin(store))
    clock.now += 0.1
    assert [run(begin(store)) for _ in range(2)] == [True, False]


def test_time_that_one_server_has_counted_counts_for_no_other_again(open_store: OpenStore, run: Run) -> None:
    slow, fast = open_store(clock=Clock(1000.0)), open_store(clock=Clock(1060.0))
    assert [run(begin(slow)) for _ in range(4)] == [True, True, True, False]
    assert [run(begin(fast)) for _ in range(4)] == [True, True, True, False]
    assert not run(begin(slow))
    assert not run(begin(fast))


def test_tokens_can_be_overdrawn_and_hold_back_requests_everywhere(open_store: OpenStore, run: Run) -> None:
    one, other = open_store(), open_store()
    assert run(begin(one, requests=None, tokens=60))
    assert run(spend(other, 90)) == 90
    assert not run(begin(one, requests=None, tokens=60))
    assert run(spend(one, 10)) == 100


def test_streams_of_all_servers_count(open_store: OpenStore, run: Run) -> None:
    one, other = open_store(), open_store()
    assert run(streams(one, 1, 2)) == (True, 0)
    assert run(streams(other, 1, 2)) == (True, 1)
    assert run(streams(one, 2, 2)) == (False, 1)
    assert run(streams(other, 0, None)) == (True, 0)
    assert run(streams(one, 2, 2)) == (True, 0)


def test_streams_of_a_stopped_server_do_not_count(open_store: OpenStore, run: Run) -> None:
    clock = Clock(1000.0)
    stopped, other = open_store(clock=clock), open_store(clock=clock)
    assert run(streams(stopped, 2, 2)) == (True, 0)
    assert run(streams(other, 1, 2)) == (False, 2)
    clock.now += 60
    run(other.servers.recover(silent_for=20))
    assert run(streams(other, 1, 2)) == (True, 0)
    run(other.usage.delete_old())
    run(stopped.servers.heartbeat())
    assert run(streams(other, 2, 2)) == (True, 0)


@pytest.mark.parametrize(("hours", "is_kept"), [(23, True), (25, False)])
def test_numbers_of_unused_keys_go_after_a_day(
    open_store: OpenStore, run: Run, hours: int, is_kept: bool
) -> None:
    clock = Clock(1000.0)
    store = open_store(clock=clock)
    run(spend(store, 10**6))
    clock.now += hours * 3600
    run(store.usage.delete_old())
    assert (run(spend(store, 0)) > 0) == is_kept


def test_a_server_is_alone_until_another_one_joins(open_store: OpenStore, run: Run) -> None:
    one = open_store()
    assert not one.usage.is_shared
    other = open_store()
    assert other.usage.is_shared
    run(one.servers.recover(silent_for=20))
    assert one.usage.is_shared
    run(other.servers.leave())
    run(one.servers.recover(silent_for=20))
    assert not one.usage.is_shared
