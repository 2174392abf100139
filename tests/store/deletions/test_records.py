import asyncio
import logging
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection

from antiphon.errors import AntiphonError, StoreUnavailable
from antiphon.store import Store
from antiphon.store.database import Database
from antiphon.store.deletions.queue import Progress, remove_later
from antiphon.store.deletions.records import DeletionRecords
from tests.corpus.test_v0_1_0 import DATA
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, count_rows, new_response


def database_of(store: Store) -> Database:
    return store._database


async def queue(store: Store, *ids: str) -> None:
    for each in ids:
        await database_of(store).write(lambda c, i=each: remove_later(c, "response", i))  # type: ignore[misc]


def test_other_writes_are_committed_between_two_slices(store: Store, run: Run) -> None:
    """A write that comes during a slice waits for the group of this slice and for its own."""
    slices: list[str] = []
    waited: list[int] = []

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        creating: list[asyncio.Task[None]] = []

        async def create(number: int) -> None:
            await store.pending.begin(ME, new_response(f"resp_{number}"))
            waited.append(len(slices) - number)

        def step(_connection: Connection, object_id: str) -> Progress:
            slices.append(object_id)
            number = len(slices)
            if number <= 5:
                loop.call_soon_threadsafe(lambda: creating.append(loop.create_task(create(number))))
            return Progress.MORE if number < 20 else Progress.DONE

        await queue(store, "large")
        await DeletionRecords(database_of(store), {"response": step}).remove_all()
        await asyncio.gather(*creating)

    run(scenario())
    assert len(slices) == 20
    assert len(waited) == 5
    assert max(waited) <= 2


def test_a_queued_object_is_removed_once(open_store: OpenStore, url: str, run: Run) -> None:
    seen: list[str] = []

    def step(_connection: Connection, object_id: str) -> Progress:
        seen.append(object_id)
        return Progress.DONE

    async def scenario(store: Store, other: Store) -> None:
        await queue(store, "b", "a", "c", "a")
        workers = [DeletionRecords(database_of(each), {"response": step}) for each in (store, other)]
        await asyncio.gather(*[worker.remove_all() for worker in workers])
        await asyncio.gather(*[worker.remove_all() for worker in workers])

    run(scenario(open_store(), open_store()))
    assert sorted(seen) == ["a", "b", "c"]
    assert count_rows(url)["deletions"] == 0


def test_what_is_still_needed_or_fails_holds_up_nothing_else(
    store: Store, url: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def step(_connection: Connection, object_id: str) -> Progress:
        seen.append(object_id)
        if object_id == "b_faulty":
            raise AntiphonError("It cannot be removed.")
        return Progress.BLOCKED if object_id == "a_needed" else Progress.DONE

    async def scenario() -> None:
        await queue(store, "a_needed", "b_faulty", "c_free")
        await DeletionRecords(database_of(store), {"response": step}).remove_all()

    with caplog.at_level(logging.ERROR, "antiphon.store.deletions.records"):
        run(scenario())
    assert seen == ["a_needed", "b_faulty", "c_free"]
    assert count_rows(url)["deletions"] == 2
    assert [record.getMessage() for record in caplog.records] == [
        "Failed to remove deleted response b_faulty: It cannot be removed."
    ]


def test_a_failure_of_the_database_is_reported(store: Store, run: Run) -> None:
    def step(_connection: Connection, object_id: str) -> Progress:
        raise StoreUnavailable("The disk is full.")

    async def scenario() -> None:
        await queue(store, "a")
        with pytest.raises(StoreUnavailable, match="disk"):
            await DeletionRecords(database_of(store), {"response": step}).remove_all()

    run(scenario())


def test_a_wait_ends_with_a_notification(store: Store, run: Run) -> None:
    async def scenario() -> None:
        deletions = DeletionRecords(database_of(store), {})
        await asyncio.wait_for(deletions.wait(60), 5)  # At the start, something may be left.
        await deletions.remove_all()
        waiting = asyncio.create_task(deletions.wait(60))
        await asyncio.sleep(0)
        assert not waiting.done()
        deletions.notify()
        await asyncio.wait_for(waiting, 5)

    run(scenario())


def test_conversations_deleted_by_older_versions_are_removed_too(tmp_path: Path, run: Run) -> None:
    """0.1.0 kept all items of a deleted conversation for ever."""
    shutil.copy(DATA / "antiphon.db", tmp_path)
    file = tmp_path / "antiphon.db"
    before = count_items(file)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(
            "INSERT INTO conversations (id, owner, created_at, metadata, next_position, deleted_at) "
            "VALUES ('conv_old', 'local', 1.0, '{}', 2, 2.0)"
        )
        for position, item_id in enumerate(("msg_old_1", "msg_old_2")):
            connection.execute("INSERT INTO items VALUES ('local', ?, 'message', '{}')", (item_id,))
            connection.execute(
                "INSERT INTO conversation_items VALUES ('conv_old', ?, ?)", (position, item_id)
            )
    connection.close()

    async def scenario() -> None:
        store = await Store.open(str(file))
        await store.deletions.remove_all()
        await store.close()

    assert count_items(file) == before + 2
    run(scenario())
    assert count_items(file) == before


def count_items(file: Path) -> int:
    connection = sqlite3.connect(file)
    count: int = connection.execute("SELECT count(*) FROM items").fetchone()[0]
    connection.close()
    return count
