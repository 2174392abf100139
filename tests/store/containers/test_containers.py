import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.containers.containers import StoredContainer, StoredContainerFile
from antiphon.store.errors import CursorNotFound, ObjectNotFound, TooManyContainers
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, count_rows

MINUTE = 60.0


def container(container_id: str, *, at: float = 1.0, minutes: int = 20, name: str = "c") -> StoredContainer:
    return StoredContainer(
        id=container_id, created_at=at, last_active_at=at, minutes=minutes, name=name, memory_limit="1g"
    )


def file(file_id: str, path: str, *, at: float = 1.0, of: str = "cntr_1") -> StoredContainerFile:
    return StoredContainerFile(
        id=file_id, container_id=of, created_at=at, bytes=3, path=path, source="user", digest="d" * 64
    )


async def listed(store: Store, query: PageQuery, name: str | None = None) -> tuple[list[str], bool]:
    found = await store.containers.page(ME, query, name)
    return [row.id for row in found.rows], found.has_more


async def paths(store: Store, container_id: str = "cntr_1") -> dict[str, str]:
    """Return the IDs of the files of a container by their paths."""
    return {each.path: each.id for each in await store.containers.files(container_id)}


def test_a_container_comes_back_as_it_was_stored(store: Store, run: Run) -> None:
    run(store.containers.create(ME, container("cntr_1"), 9))
    assert run(store.containers.get(ME, "cntr_1")) == container("cntr_1")
    assert run(store.containers.delete(ME, "cntr_1")) == []
    assert run(store.containers.delete(ME, "cntr_1")) is None
    with pytest.raises(ObjectNotFound, match="Container with id 'cntr_1' not found"):
        run(store.containers.get(ME, "cntr_1"))


def test_another_owners_container_is_not_there(store: Store, run: Run) -> None:
    run(store.containers.create("her", container("cntr_1"), 9))
    with pytest.raises(ObjectNotFound):
        run(store.containers.get(ME, "cntr_1"))
    assert run(store.containers.delete(ME, "cntr_1")) is None
    assert run(listed(store, PageQuery())) == ([], False)
    with pytest.raises(CursorNotFound):
        run(listed(store, PageQuery(after="cntr_1")))
    assert run(store.containers.get("her", "cntr_1")) == container("cntr_1")


def test_pages_are_ordered_by_time_and_id_and_hold_one_name(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for at, name in [(3, "c"), (1, "z"), (2, "b"), (2, "a")]:
            await store.containers.create(ME, container(f"cntr_{name}", at=at, name=name), 9)
        upwards = ["cntr_z", "cntr_a", "cntr_b", "cntr_c"]
        assert await listed(store, PageQuery(order="asc")) == (upwards, False)
        assert await listed(store, PageQuery(limit=2)) == (upwards[:1:-1], True)
        assert await listed(store, PageQuery(limit=2, after="cntr_b")) == (upwards[1::-1], False)
        assert await listed(store, PageQuery(), "a") == (["cntr_a"], False)
        assert await listed(store, PageQuery(), "none") == ([], False)

    run(scenario())


def test_an_owner_has_at_most_so_many_containers(open_store: OpenStore, run: Run) -> None:
    now = 1000.0
    store = open_store(clock=lambda: now)

    async def scenario() -> None:
        nonlocal now
        await store.containers.create(ME, container("cntr_1"), 1)
        with pytest.raises(TooManyContainers):
            await store.containers.create(ME, container("cntr_2"), 1)
        await store.containers.create("her", container("cntr_3"), 1)
        now += 21 * MINUTE
        await store.containers.create(ME, container("cntr_4"), 1)
        assert await listed(store, PageQuery()) == (["cntr_4"], False)

    run(scenario())


def test_a_use_begins_the_time_again_and_what_has_expired_is_gone_for_good(
    open_store: OpenStore, url: str, run: Run
) -> None:
    now = 1000.0
    store = open_store(clock=lambda: now)

    async def scenario() -> None:
        nonlocal now
        await store.containers.create(ME, container("cntr_1", minutes=5), 9)
        await store.containers.create(ME, container("cntr_2", minutes=60), 9)
        await store.containers.put_files("cntr_1", [file("cfile_1", "a"), file("cfile_2", "b")], ())
        now += 4 * MINUTE
        await store.containers.touch("cntr_1", 77.0, runs=1)
        now += 4 * MINUTE
        await store.containers.touch("cntr_1", 78.0)
        used = msgspec.structs.replace(container("cntr_1", minutes=5), last_active_at=78.0, runs=1)
        assert await store.containers.get(ME, "cntr_1") == used
        now += 6 * MINUTE
        with pytest.raises(ObjectNotFound):
            await store.containers.get(ME, "cntr_1")
        assert await listed(store, PageQuery()) == (["cntr_2"], False)
        assert await store.containers.delete(ME, "cntr_1") is None
        assert sorted(await store.containers.delete_expired() or ()) == ["cfile_1", "cfile_2"]
        assert await store.containers.delete_expired() is None

    run(scenario())
    rows = count_rows(url)
    assert (rows["containers"], rows["container_files"]) == (1, 0)


def test_a_file_takes_the_place_of_that_with_its_path(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.containers.create(ME, container("cntr_1"), 9)
        assert (
            await store.containers.put_files("cntr_1", [file("cfile_1", "a"), file("cfile_2", "b")], ()) == []
        )
        gone = await store.containers.put_files("cntr_1", [file("cfile_3", "a")], ["b", "none"])
        assert sorted(gone) == ["cfile_1", "cfile_2"]
        assert await paths(store) == {"a": "cfile_3"}
        changed = msgspec.structs.replace(file("cfile_3", "a"), digest="e" * 64)
        assert await store.containers.put_files("cntr_1", [changed], ()) == [], "it keeps its ID"
        assert await store.containers.file("cntr_1", "cfile_3") == changed

    run(scenario())


def test_files_belong_to_one_container(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for name in ("cntr_1", "cntr_2"):
            await store.containers.create(ME, container(name), 9)
        await store.containers.put_files("cntr_1", [file("cfile_1", "a")], ())
        await store.containers.put_files("cntr_2", [file("cfile_2", "a", of="cntr_2")], ())
        with pytest.raises(ObjectNotFound, match="Container file"):
            await store.containers.file("cntr_1", "cfile_2")
        assert not await store.containers.delete_file("cntr_1", "cfile_2")
        assert await store.containers.delete_file("cntr_2", "cfile_2")
        assert not await store.containers.delete_file("cntr_2", "cfile_2")
        assert await store.containers.delete(ME, "cntr_1") == ["cfile_1"]
        assert await paths(store) == {}

    run(scenario())


def test_a_container_that_is_gone_gets_no_files(store: Store, url: str, run: Run) -> None:
    with pytest.raises(ObjectNotFound):
        run(store.containers.put_files("cntr_1", [file("cfile_1", "a")], ()))
    assert count_rows(url)["container_files"] == 0


def test_pages_of_files_are_ordered_by_time(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.containers.create(ME, container("cntr_1"), 9)
        new = [file(f"cfile_{name}", name, at=at) for at, name in [(2, "b"), (1, "a"), (3, "c")]]
        await store.containers.put_files("cntr_1", new, ())
        page = await store.containers.file_page("cntr_1", PageQuery(order="asc", limit=2))
        assert ([each.id for each in page.rows], page.has_more) == (["cfile_a", "cfile_b"], True)
        rest = await store.containers.file_page("cntr_1", PageQuery(order="asc", after="cfile_b"))
        assert ([each.id for each in rest.rows], rest.has_more) == (["cfile_c"], False)
        with pytest.raises(CursorNotFound):
            await store.containers.file_page("cntr_1", PageQuery(after="cfile_none"))

    run(scenario())
