import asyncio
import logging
from typing import cast

import pytest

from antiphon.errors import StoreUnavailable
from antiphon.service.files.folder import FileFolder
from antiphon.service.retention import Retention
from antiphon.serving.periodic import build_indexes, expire, remove_deleted, repeat_forever
from antiphon.store import Store
from antiphon.store.responses import removal
from tests.store.samples import ME, converse, respond


def test_no_error_ends_background_work(caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[Exception | None] = [StoreUnavailable("The disk is full."), ValueError("a fault"), None]
    done = asyncio.Event()

    async def work() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error
        done.set()
        await asyncio.Event().wait()

    async def run() -> None:
        task = asyncio.create_task(repeat_forever(work, 0.0, "it cannot be done"))
        await asyncio.wait_for(done.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.ERROR, "antiphon.server"):
        asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == [
        "it cannot be done: The disk is full.",
        "it cannot be done",
    ]
    fault = caplog.records[1].exc_info
    assert caplog.records[0].exc_info is None
    assert fault is not None
    assert isinstance(fault[1], ValueError)


def test_a_large_deletion_is_finished_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_SLICE", 3)
    items = [f"item_{number}" for number in range(10)]

    async def scenario() -> None:
        store = await Store.open(":memory:")
        working = asyncio.create_task(remove_deleted(store))
        await converse(store, "conv", *items)
        await store.conversations.delete(ME, "conv")
        deadline = asyncio.get_running_loop().time() + 10
        while await store.items.find(ME, items) and asyncio.get_running_loop().time() < deadline:
            pass
        working.cancel()
        assert await store.items.find(ME, items) == {}
        await store.close()

    asyncio.run(scenario())


def test_old_objects_are_deleted_until_the_server_stops() -> None:
    async def scenario() -> None:
        store = await Store.open(":memory:")
        await respond(store, "resp_1", ["a"], ["b"])
        working = asyncio.create_task(expire(Retention(store, cast("FileFolder", None), {"responses": 60.0})))
        deadline = asyncio.get_running_loop().time() + 10
        while await store.responses.get(ME, "resp_1") and asyncio.get_running_loop().time() < deadline:
            pass
        working.cancel()
        assert await store.responses.get(ME, "resp_1") is None
        await store.close()

    asyncio.run(scenario())


def test_indexes_of_large_vector_stores_are_built_until_the_server_stops() -> None:
    asked: list[int] = []
    done = asyncio.Event()

    class Chunks:
        async def build_indexes(self, least: int) -> None:
            asked.append(least)
            done.set()

    class Indexed:
        chunks = Chunks()

    async def run() -> None:
        task = asyncio.create_task(build_indexes(cast("Store", Indexed()), 50_000))
        await asyncio.wait_for(done.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert asked == [50_000]


def test_a_server_that_stops_at_once_ends_its_removal_of_deleted_objects() -> None:
    async def run() -> None:
        store = await Store.open(":memory:")
        try:
            for looks in range(4):
                task = asyncio.create_task(remove_deleted(store))
                store.deletions.notify()
                for _ in range(looks):
                    await asyncio.sleep(0)
                task.cancel()
                done, _ = await asyncio.wait([task], timeout=5)
                assert done, f"cancelled after {looks} iterations of the event loop, and still running"
        finally:
            await store.close()

    asyncio.run(run())
