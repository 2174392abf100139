import pytest

from antiphon.store import Store
from antiphon.store.errors import ObjectNotFound
from antiphon.store.vector_stores.rows import StoredVectorStore
from antiphon.store.vector_stores.vector_stores import DAY
from antiphon.wire.lists import PageQuery
from antiphon.wire.vector_stores import FileCounts
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import ALL, attach, vector_store
from tests.store.samples import ME

NO_FILES = FileCounts(in_progress=0, completed=0, failed=0, cancelled=0, total=0)


def test_a_vector_store_comes_back_as_it_was_made(store: Store, run: Run) -> None:
    new = vector_store("vs_1", at=5.0, days=2)
    run(store.vector_stores.create(ME, new))
    made = {name: getattr(new, name) for name in new.__struct_fields__}
    assert run(store.vector_stores.get(ME, "vs_1")) == StoredVectorStore(
        **made, last_active_at=5.0, used_at=1000.0, expired=False, counts=NO_FILES, usage_bytes=0
    )


def test_another_owners_vector_store_is_not_there(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.vector_stores.create("her", vector_store("vs_1"))
        with pytest.raises(ObjectNotFound, match="'vs_1' not found"):
            await store.vector_stores.get(ME, "vs_1")
        with pytest.raises(ObjectNotFound, match="Vector store"):
            await store.vector_stores.update(ME, "vs_1", {"name": "mine"})
        assert not await store.vector_stores.delete(ME, "vs_1")
        assert (await store.vector_stores.page(ME, ALL)).rows == []
        assert (await store.vector_stores.get("her", "vs_1")).name == "vs_1"

    run(scenario())


def test_of_several_the_missing_one_is_named(store: Store, run: Run) -> None:
    run(store.vector_stores.create(ME, vector_store("vs_1")))
    run(store.vector_stores.create(ME, vector_store("vs_2")))
    found = run(store.vector_stores.find(ME, ["vs_2", "vs_1"]))
    assert [each.id for each in found] == ["vs_2", "vs_1"]
    with pytest.raises(ObjectNotFound, match="'vs_3'"):
        run(store.vector_stores.find(ME, ["vs_1", "vs_3"]))


def test_changes_leave_the_rest(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.vector_stores.create(ME, vector_store("vs_1", days=2))
        await store.vector_stores.update(ME, "vs_1", {"name": "new"})
        found = await store.vector_stores.get(ME, "vs_1")
        assert (found.name, found.expires_after_days) == ("new", 2)
        await store.vector_stores.update(ME, "vs_1", {"expires_after_days": None})
        await store.vector_stores.update(ME, "vs_1", {})
        assert (await store.vector_stores.get(ME, "vs_1")).expires_after_days is None

    run(scenario())


def test_pages_count_each_stores_files(store: Store, run: Run) -> None:
    async def scenario() -> None:
        first, *_ = await attach(store, "vs_1", "file-1", "file-2")
        await store.attachments.finish(first, 123)
        await store.vector_stores.create(ME, vector_store("vs_2", at=2.0))
        found = await store.vector_stores.page(ME, PageQuery(limit=1, order="asc"))
        (shown,) = found.rows
        assert (shown.id, shown.usage_bytes, found.has_more) == ("vs_1", 123, True)
        assert shown.counts == FileCounts(in_progress=1, completed=1, failed=0, cancelled=0, total=2)
        (other,) = (await store.vector_stores.page(ME, PageQuery(after="vs_1", order="asc"))).rows
        assert (other.id, other.counts) == ("vs_2", NO_FILES)

    run(scenario())


def test_a_deleted_store_takes_its_attachments_along(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await attach(store, "vs_1", "file-1")
        assert await store.vector_stores.delete(ME, "vs_1")
        assert (await store.attachments.page("vs_1", ALL)).rows == []
        assert (await store.files.get(ME, "file-1")).id == "file-1"

    run(scenario())


def test_expiry_counts_from_the_last_use_and_empties_the_store(open_store: OpenStore, run: Run) -> None:
    now = 1000.0
    store = open_store(clock=lambda: now)

    async def scenario() -> None:
        nonlocal now
        await attach(store, "vs_1", "file-1")
        await store.vector_stores.update(ME, "vs_1", {"expires_after_days": 1})
        now += DAY - 1
        await store.vector_stores.mark_used([await store.vector_stores.get(ME, "vs_1")])
        now += DAY - 1
        shown = await store.vector_stores.get(ME, "vs_1")
        assert (shown.expired, shown.last_active_at) == (False, 1.0 + DAY - 1)
        await store.vector_stores.empty_expired()
        assert (await store.vector_stores.get(ME, "vs_1")).counts.total == 1
        now += 2
        assert (await store.vector_stores.get(ME, "vs_1")).expired
        await store.vector_stores.empty_expired()
        emptied = await store.vector_stores.get(ME, "vs_1")
        assert (emptied.expired, emptied.counts) == (True, NO_FILES)

    run(scenario())
