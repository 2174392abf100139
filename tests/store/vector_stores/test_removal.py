"""Deleted vector stores and files are hidden at once, and their chunks are removed in slices."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import permutations
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from antiphon.ids import new_id
from antiphon.store import Store
from antiphon.store.deletions.queue import Progress, Step
from antiphon.store.errors import AttachedFileNotFound, FileNotStored, ObjectNotFound
from antiphon.store.vector_stores import removal
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from antiphon.store.vector_stores.removal import remove_detached_files, remove_file, remove_vector_store
from antiphon.store.vector_stores.rows import AttachedFile, NewBatch
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import ALL, attachment, file, vector_store
from tests.store.samples import ME
from tests.store.test_servers import Clock
from tests.support.postgresql import schema
from tests.support.thorough import some_of

TABLES = ("chunks", "chunk_terms", "chunk_vectors", "vector_store_files", "file_batches", "deletions")
NOTHING = dict.fromkeys(TABLES, 0)
STEPS: dict[str, Step] = {"vs_1": remove_vector_store, "file_1": remove_file}


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_SLICE", 4)
    monkeypatch.setattr(removal, "_ROWS", 2)


async def counted(store: Store) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {
        name: await store._database.read(
            lambda c, n=name: int(c.execute(text(f"SELECT count(*) FROM {n}")).scalar_one())  # type: ignore[misc]
        )
        for name in TABLES
    }


async def create(store: Store, *store_ids: str, days: int | None = None) -> None:
    for each in store_ids:
        await store.vector_stores.create(ME, vector_store(each, days=days))


async def fill(store: Store, store_id: str, *file_ids: str, chunks: int = 10) -> list[AttachedFile]:
    """Attach files, which are stored unless they exist, and store their chunks."""
    for file_id in file_ids:
        with suppress(FileNotStored):
            await store.files.get(ME, file_id)
            continue
        await store.files.add(ME, file(file_id))
    given = [attachment(each) for each in file_ids]
    batch = NewBatch(id=new_id("batch", 8), created_at=1.0)
    attached = await store.attachments.attach(store_id, given, batch)
    for each in attached:
        new = [NewChunk(f"owl in {store_id} {each.file_id}", b"\0\0\x80\x3f")] * chunks
        assert await store.chunks.replace(store_id, each.file_id, each.attempt, new)
        await store.attachments.finish(each, 10)
    return attached


async def shown(store: Store, *store_ids: str) -> set[tuple[str, str]]:
    """Return the vector stores and files that lists and searches include, which must agree."""
    listed = set[tuple[str, str]]()
    for store_id in {each.id for each in (await store.vector_stores.page(ME, ALL)).rows} & set(store_ids):
        files = {each.file_id for each in (await store.attachments.page(store_id, ALL)).rows}
        listed |= {(store_id, file_id) for file_id in files}
        assert (await store.vector_stores.get(ME, store_id)).counts.completed == len(files)
    stores = sorted({store_id for store_id, _ in listed})
    if not stores:
        return set()
    found = await store.chunks.search(ChunkQuery(stores, "owl", None, None, 1000))
    chunks = (await store.chunks.get(list(found.by_words))).values()
    assert {(each.vector_store_id, each.file_id) for each in chunks} == listed
    assert {(each.vector_store_id, each.file_id) for each in await store.attachments.named(stores)} == listed
    return listed


@pytest.mark.parametrize("name", STEPS)
def test_no_slice_removes_more_rows_than_its_limits(store: Store, run: Run, name: str) -> None:
    async def scenario() -> None:
        await create(store, "vs_1")
        for number in range(3):
            await fill(store, "vs_1", f"file_{number}")
        await fill(store, "vs_1", *[f"file_{number}" for number in range(3, 10)], chunks=0)
        steps = 0
        before = await counted(store)
        while True:
            progress = await store._database.write(lambda c: STEPS[name](c, name))
            steps += 1
            after = await counted(store)
            assert before["chunks"] - after["chunks"] <= 4
            assert before["vector_store_files"] - after["vector_store_files"] <= 5
            if progress is Progress.DONE:
                break
            before = after
        left = 0 if name == "vs_1" else 20
        assert after["chunks"] == after["chunk_terms"] == after["chunk_vectors"] == left
        assert steps > (30 - left) / 4

    run(scenario())


def test_a_large_vector_store_is_hidden_at_once_and_removed_in_slices(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await create(store, "vs_1", "vs_2")
        await fill(store, "vs_1", "file_1", "file_2")
        await fill(store, "vs_2", "file_1")
        assert await store.vector_stores.delete(ME, "vs_1")
        assert not await store.vector_stores.delete(ME, "vs_1")
        with pytest.raises(ObjectNotFound):
            await store.vector_stores.get(ME, "vs_1")
        with pytest.raises(ObjectNotFound):
            await store.vector_stores.update(ME, "vs_1", {"name": "again"})
        with pytest.raises(ObjectNotFound):
            await store.attachments.attach("vs_1", [attachment("file_1")])
        assert await shown(store, "vs_1", "vs_2") == {("vs_2", "file_1")}
        assert (await counted(store))["chunks"] == 26  # One slice went with the request.
        await store.deletions.remove_all()
        assert await counted(store) == NOTHING | {
            "chunks": 10,
            "chunk_terms": 10,
            "chunk_vectors": 10,
            "vector_store_files": 1,
            "file_batches": 1,
        }
        assert await shown(store, "vs_1", "vs_2") == {("vs_2", "file_1")}
        assert len((await store.files.page(ME, ALL)).rows) == 2

    run(scenario())


def test_a_file_of_many_vector_stores_is_hidden_in_all_at_once(store: Store, run: Run) -> None:
    ids = [f"vs_{number}" for number in range(7)]

    async def scenario() -> None:
        await create(store, *ids)
        for each in ids:
            await fill(store, each, "file_1", "file_2", chunks=5)
        assert await store.files.delete(ME, "file_1")
        assert not await store.files.delete(ME, "file_1")
        with pytest.raises(FileNotStored):
            await store.files.get(ME, "file_1")
        with pytest.raises(FileNotStored):
            await store.attachments.attach("vs_1", [attachment("file_2"), attachment("file_1")])
        assert await shown(store, *ids) == {(each, "file_2") for each in ids}
        assert (await counted(store))["chunks"] > 50
        await store.deletions.remove_all()
        assert (await counted(store))["chunks"] == (await counted(store))["chunk_terms"] == 35
        assert await shown(store, *ids) == {(each, "file_2") for each in ids}

    run(scenario())


def test_expired_files_and_vector_stores_go_in_slices_too(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    store = open_store(clock=clock)

    async def scenario() -> None:
        await create(store, "vs_1")
        await create(store, "vs_2", days=1)
        for number in range(5):
            await store.files.add(ME, file(f"file_{number}", lasts=100.0))
        await fill(store, "vs_1", *[f"file_{number}" for number in range(5)], chunks=5)
        await fill(store, "vs_2", *[f"other_{number}" for number in range(5)], chunks=5)
        clock.now += 101
        assert await store.files.delete_expired() == [f"file_{number}" for number in range(5)]
        assert await store.files.delete_expired() == []
        assert await shown(store, "vs_1") == set()
        clock.now += 86_400
        await store.vector_stores.empty_expired()
        assert await shown(store, "vs_2") == set()
        await store.deletions.remove_all()
        assert await counted(store) == NOTHING | {"file_batches": 2}
        assert (await store.vector_stores.get(ME, "vs_2")).expired
        assert len((await store.files.page(ME, ALL)).rows) == 5

    run(scenario())


def test_a_detached_file_that_is_attached_again_stays(store: Store, run: Run) -> None:
    """The chunks of the first attachment are still being removed."""

    async def scenario() -> None:
        await create(store, "vs_1")
        await fill(store, "vs_1", "file_1", chunks=20)
        assert await store.attachments.detach("vs_1", "file_1")
        assert not await store.attachments.detach("vs_1", "file_1")
        with pytest.raises(AttachedFileNotFound):
            await store.attachments.get("vs_1", "file_1")
        (again,) = await store.attachments.attach("vs_1", [attachment("file_1")])
        assert await store.attachments.is_wanted(again)
        await store.deletions.remove_all()
        assert await store.attachments.is_wanted(again)
        assert (await counted(store))["chunks"] == 16
        assert await store.chunks.clear("vs_1", "file_1", again.attempt)
        assert (await counted(store))["chunks"] == (await counted(store))["chunk_vectors"] == 0
        await fill(store, "vs_1", "file_1", chunks=3)
        assert await shown(store, "vs_1") == {("vs_1", "file_1")}
        assert not await store.chunks.clear("vs_1", "file_1", again.attempt)
        assert (await counted(store))["chunks"] == 3

    run(scenario())


def test_a_deletion_that_broke_off_goes_on_at_the_next_server(open_store: OpenStore, run: Run) -> None:
    async def begin(store: Store) -> None:
        await create(store, "vs_1", "vs_2", "vs_3")
        for each in ("vs_1", "vs_2", "vs_3"):
            await fill(store, each, "file_1", "file_2")
        assert await store.vector_stores.delete(ME, "vs_1")
        assert await store.files.delete(ME, "file_1")
        assert await store.attachments.detach("vs_3", "file_2")

    async def go_on(store: Store) -> None:
        assert (await counted(store))["deletions"] == 3
        await store.deletions.wait(0.0)
        await store.deletions.remove_all()
        assert (await counted(store))["chunks"] == 10
        assert await shown(store, "vs_1", "vs_2", "vs_3") == {("vs_2", "file_2")}

    run(begin(open_store()))
    # The first store isn't closed before the second one opens, as in a crash.
    run(go_on(open_store()))


ORDERED = ("vs_1", "file_1", "file_2", "vs_1 file_1")


async def delete(store: Store, step: str, suffix: str) -> None:
    if " " in step:
        store_id, file_id = step.split()
        await store.attachments.detach(store_id + suffix, file_id + suffix)
    elif step.startswith("vs"):
        assert await store.vector_stores.delete(ME, step + suffix)
    else:
        assert await store.files.delete(ME, step + suffix)


def visible(done: Sequence[str]) -> set[tuple[str, str]]:
    """Return the vector stores and files that deletions in any order leave."""
    every = {(store_id, file_id) for store_id in ("vs_1", "vs_2") for file_id in ("file_1", "file_2")}
    return {
        pair for pair in every if pair[0] not in done and pair[1] not in done and " ".join(pair) not in done
    }


@pytest.mark.parametrize("immediate", [True, False])
def test_in_every_order_of_deletions_all_chunks_go(store: Store, run: Run, immediate: bool) -> None:
    orders = some_of([*permutations(ORDERED)], 3)

    async def scenario() -> None:
        for number, order in enumerate(orders):
            suffix = f"_{number}"
            await create(store, f"vs_1{suffix}", f"vs_2{suffix}")
            for store_id in ("vs_1", "vs_2"):
                await fill(store, store_id + suffix, f"file_1{suffix}", f"file_2{suffix}", chunks=5)
            for at, step in enumerate(order, 1):
                await delete(store, step, suffix)
                if immediate:
                    await store.deletions.remove_all()
                    assert (await counted(store))["chunks"] == 5 * len(visible(order[:at]))
                left = {(vs + suffix, each + suffix) for vs, each in visible(order[:at])}
                assert await shown(store, f"vs_1{suffix}", f"vs_2{suffix}") == left
            await delete(store, "vs_2", suffix)
        await store.deletions.remove_all()
        assert await counted(store) == NOTHING

    run(scenario())


def test_removal_of_what_does_not_exist_is_done(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for step in (remove_vector_store, remove_file, remove_detached_files):
            assert await store._database.write(lambda c, s=step: s(c, "none")) is Progress.DONE  # type: ignore[misc]

    run(scenario())


def test_sqlite_merges_its_index_of_words_as_before_after_a_deletion(tmp_path: Path, run: Run) -> None:
    async def scenario() -> None:
        store = await Store.open(f"sqlite:///{tmp_path}/merges.db")
        await create(store, "vs_1")
        await fill(store, "vs_1", "file_1", chunks=100)
        await store.vector_stores.delete(ME, "vs_1")
        await store.deletions.remove_all()
        # FTS5's own check: an error is raised if the index doesn't match the content.
        check = text("INSERT INTO chunk_terms (chunk_terms) VALUES ('integrity-check')")
        await store._database.write(lambda c: c.execute(check))
        configured = text("SELECT v FROM chunk_terms_config WHERE k = 'automerge'")
        assert await store._database.read(lambda c: c.execute(configured).scalar_one()) == 4
        await store.close()

    run(scenario())


def test_a_slice_on_postgresql_takes_few_round_trips(
    postgresql: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other writes of the server wait for each of them."""
    monkeypatch.setattr(removal, "_SLICE", 10)

    async def scenario(url: str) -> None:
        store = await Store.open(url)
        await create(store, "vs_1")
        await fill(store, "vs_1", *(f"file_{number}" for number in range(12)), chunks=3)
        await store.vector_stores.delete(ME, "vs_1")
        transactions: list[int] = []

        def begin(_: Connection) -> None:
            transactions.append(0)

        def count(*_: object) -> None:
            transactions[-1] += 1

        event.listen(Engine, "begin", begin)
        event.listen(Engine, "before_cursor_execute", count)
        try:
            await store.deletions.remove_all()
        finally:
            event.remove(Engine, "begin", begin)
            event.remove(Engine, "before_cursor_execute", count)
        assert await counted(store) == NOTHING
        assert len(transactions) > 4
        assert max(transactions) <= 6
        await store.close()

    with schema(postgresql) as own:
        run(scenario(own))
