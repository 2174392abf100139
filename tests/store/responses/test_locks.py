"""Locks of conversations, each held by one response at a time."""

import asyncio

import pytest
from sqlalchemy import Connection

from antiphon.errors import ConversationLocked, StoreUnavailable
from antiphon.store import Store
from antiphon.store.responses import conversations
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, begin_in, converse, finished, seen_in


def test_one_response_at_a_time(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1")
        await begin_in(store, "conv_1", "resp_1")
        with pytest.raises(ConversationLocked):
            await store.conversations.lock(ME, "conv_1", "resp_2")
        await store.conversations.unlock("resp_2")
        with pytest.raises(ConversationLocked):
            await store.conversations.lock(ME, "conv_1", "resp_2")
        await store.conversations.unlock("resp_1")
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_D19_the_lock_of_a_deleted_response_is_released_at_its_end(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1")
        await begin_in(store, "conv_1", "resp_1", "a")
        await store.responses.delete(ME, "resp_1")
        await store.pending.finish(ME, finished("resp_1", "b"))
        assert await seen_in(store, "conv_1") == []
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_of_many_lockers_in_two_stores_one_wins(open_store: OpenStore, run: Run) -> None:
    stores = [open_store(), open_store()]

    async def try_lock(number: int) -> bool:
        try:
            await stores[number % 2].conversations.lock(ME, "conv_1", f"resp_{number}")
        except ConversationLocked:
            return False
        return True

    async def scenario() -> list[bool]:
        await converse(stores[0], "conv_1")
        return await asyncio.gather(*[try_lock(number) for number in range(40)])

    assert run(scenario()).count(True) == 1


def test_a_lock_whose_request_was_cancelled_is_released(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1")
        locking = asyncio.create_task(store.conversations.lock(ME, "conv_1", "resp_1"))
        await asyncio.sleep(0)
        locking.cancel()
        await asyncio.gather(locking, return_exceptions=True)
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_a_lock_that_could_not_be_released_is_released_later(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: Connection, _response_ids: list[str]) -> None:
        raise StoreUnavailable("The disk is full.")

    async def scenario() -> None:
        await converse(store, "conv_1")
        await store.conversations.lock(ME, "conv_1", "resp_1")
        with monkeypatch.context() as patched:
            patched.setattr(conversations, "release_locks", fail)
            with pytest.raises(StoreUnavailable):
                await store.conversations.unlock("resp_1")
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())
