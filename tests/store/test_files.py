import pytest

from antiphon.store import Store
from antiphon.store.errors import CursorNotFound, FileNotStored
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import ALL, attach, file
from tests.store.samples import ME


async def ids(store: Store, query: PageQuery, purpose: str | None = None) -> tuple[list[str], bool]:
    found = await store.files.page(ME, query, purpose=purpose)
    return [row.id for row in found.rows], found.has_more


def test_a_file_comes_back_as_it_was_stored(store: Store, run: Run) -> None:
    run(store.files.add(ME, file("file-1", lasts=3600)))
    assert run(store.files.get(ME, "file-1")) == file("file-1", lasts=3600)
    assert run(store.files.delete(ME, "file-1"))
    assert not run(store.files.delete(ME, "file-1"))
    with pytest.raises(FileNotStored, match="No such File object: file-1"):
        run(store.files.get(ME, "file-1"))


def test_another_owners_file_is_not_there(store: Store, run: Run) -> None:
    run(store.files.add("her", file("file-1")))
    with pytest.raises(FileNotStored):
        run(store.files.get(ME, "file-1"))
    assert not run(store.files.delete(ME, "file-1"))
    assert run(ids(store, ALL)) == ([], False)
    with pytest.raises(CursorNotFound):
        run(ids(store, PageQuery(after="file-1")))


def test_pages_are_ordered_by_time_and_id(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for at, name in [(3, "file-c"), (1, "file-z"), (2, "file-b"), (2, "file-a")]:
            await store.files.add(ME, file(name, at=at))
        upwards = ["file-z", "file-a", "file-b", "file-c"]
        assert await ids(store, PageQuery(order="asc")) == (upwards, False)
        assert await ids(store, PageQuery()) == (upwards[::-1], False)
        assert await ids(store, PageQuery(order="asc", limit=2, after="file-z")) == (upwards[1:3], True)
        assert await ids(store, PageQuery(limit=2, after="file-b")) == (["file-a", "file-z"], False)
        # `before` returns the nearest preceding entries, in the order of the list.
        assert await ids(store, PageQuery(order="asc", limit=2, before="file-c")) == (upwards[1:3], True)
        assert await ids(store, PageQuery(limit=2, before="file-z")) == (["file-b", "file-a"], True)
        assert await ids(store, PageQuery(order="asc", before="file-z")) == ([], False)
        with pytest.raises(CursorNotFound) as raised:
            await ids(store, PageQuery(before="file-x"))
        assert raised.value.param == "before"

    run(scenario())


def test_pages_hold_one_purpose(store: Store, run: Run) -> None:
    run(store.files.add(ME, file("file-1")))
    run(store.files.add(ME, file("file-2", purpose="batch")))
    assert run(ids(store, ALL, "batch")) == (["file-2"], False)
    assert run(ids(store, ALL, "vision")) == ([], False)


def test_what_has_expired_is_gone_for_its_owner_and_then_for_good(open_store: OpenStore, run: Run) -> None:
    now = 1000.0
    store = open_store(clock=lambda: now)

    async def scenario() -> None:
        nonlocal now
        await store.files.add(ME, file("file-1", lasts=3600))
        await store.files.add(ME, file("file-2"))
        now += 3601
        with pytest.raises(FileNotStored):
            await store.files.get(ME, "file-1")
        assert await ids(store, ALL) == (["file-2"], False)
        assert await store.files.delete_expired() == ["file-1"]
        assert await store.files.delete_expired() == []

    run(scenario())


def test_a_deleted_file_leaves_its_vector_stores(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await attach(store, "vs_1", "file-1", "file-2")
        await store.files.delete(ME, "file-1")
        found = await store.attachments.page("vs_1", ALL)
        assert [each.file_id for each in found.rows] == ["file-2"]

    run(scenario())
