"""The counters of a vector store equal the numbers of its files after any operations."""

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import pytest
from sqlalchemy import Connection, text

from antiphon.errors import NotFound
from antiphon.store import Store
from antiphon.store.vector_stores.chunks import NewChunk
from antiphon.store.vector_stores.counters import COUNTERS, STATUSES, count_all
from antiphon.store.vector_stores.rows import AttachedFile, NewBatch, Unread
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import ALL, attachment, file, vector_store
from tests.store.samples import ME
from tests.store.test_plans import watched

STORES = [f"vs_{number}" for number in range(3)]
FILES = [f"file_{number}" for number in range(8)]


def kept(connection: Connection) -> dict[str, tuple[int, ...]]:
    columns = ", ".join(COUNTERS)
    rows = connection.execute(text(f"SELECT id, {columns} FROM vector_stores ORDER BY id"))
    return {row[0]: tuple(row[1:]) for row in rows}


def counted(connection: Connection) -> dict[str, tuple[int, ...]]:
    """Return the same numbers, counted from the files."""
    found = {}
    for store_id in connection.execute(text("SELECT id FROM vector_stores ORDER BY id")).scalars().all():
        own = {"store": store_id}
        of_store = "FROM vector_store_files WHERE vector_store_id = :store AND status"
        numbers = [
            connection.execute(text(f"SELECT count(*) {of_store} = '{name}'"), own).scalar_one()
            for name in STATUSES
        ]
        usage = text(f"SELECT coalesce(sum(usage_bytes), 0) {of_store} = 'completed'")
        found[store_id] = (*numbers, int(connection.execute(usage, own).scalar_one()))
    return found


class Player:
    """Do random things to vector stores and their files."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.attached: list[AttachedFile] = []
        self.batches: list[tuple[str, str]] = []

    async def step(self) -> None:
        moves: Sequence[Callable[[], Awaitable[object]]] = (
            self.create,
            self.upload,
            *[self.attach] * 4,
            *[self.read] * 4,
            self.detach,
            self.cancel,
            self.delete_file,
            self.delete_store,
            lambda: self.store.servers.recover(10.0),
        )
        with suppress(NotFound):  # Deleted before
            await self.random.choice(moves)()

    async def create(self) -> None:
        name = self.random.choice(STORES)
        if name not in {each.id for each in (await self.store.vector_stores.page(ME, ALL)).rows}:
            await self.store.vector_stores.create(ME, vector_store(name))

    async def upload(self) -> None:
        stored = {each.id for each in (await self.store.files.page(ME, ALL)).rows}
        for file_id in set(FILES) - stored:
            await self.store.files.add(ME, file(file_id))

    async def attach(self) -> None:
        store_id = self.random.choice(STORES)
        await self.store.vector_stores.get(ME, store_id)
        chosen = self.random.sample(FILES, self.random.randint(1, 4))
        given = list(await self.store.files.find(ME, chosen))
        batch = NewBatch(id=f"batch_{self.random.random()}", created_at=1.0)
        new = [attachment(each) for each in given]
        self.attached += await self.store.attachments.attach(store_id, new, batch)
        self.batches.append((store_id, batch.id))

    async def read(self) -> None:
        attached = self.random.choice(self.attached) if self.attached else None
        if attached is None:
            return
        new = [NewChunk("two words", None)] * self.random.randint(0, 3)
        where = (attached.vector_store_id, attached.file_id, attached.attempt)
        await self.store.chunks.replace(*where, new)
        failed = self.random.random() < 0.3
        await self.store.attachments.finish(attached, Unread("server_error", "") if failed else 10)

    async def detach(self) -> None:
        await self.store.attachments.detach(self.random.choice(STORES), self.random.choice(FILES))

    async def cancel(self) -> None:
        if self.batches:
            await self.store.attachments.cancel_batch(*self.random.choice(self.batches))

    async def delete_file(self) -> None:
        await self.store.files.delete(ME, self.random.choice(FILES))

    async def delete_store(self) -> None:
        if self.random.random() < 0.3:
            await self.store.vector_stores.delete(ME, self.random.choice(STORES))


@pytest.mark.parametrize("seed", range(6))
def test_random_operations_keep_the_counters(open_store: OpenStore, run: Run, seed: int) -> None:
    store = open_store()

    async def scenario() -> None:
        player = Player(store, seed)
        await player.upload()
        most = 0
        for _ in range(60):
            await player.step()
            found = await store._database.read(lambda c: (kept(c), counted(c)))
            assert found[0] == found[1]
            most = max(most, *(sum(numbers) for numbers in found[0].values()), 0)
        assert most > 0

    run(scenario())


def test_a_file_of_a_stopped_server_is_counted_as_failed(open_store: OpenStore, run: Run) -> None:
    stopped, other = open_store(server_id="a"), open_store(server_id="b")

    async def scenario() -> None:
        await stopped.vector_stores.create(ME, vector_store("vs_1"))
        await stopped.files.add(ME, file("file_1"))
        await stopped.attachments.attach("vs_1", [attachment("file_1")])
        await stopped.servers.leave()
        await other.servers.recover(10.0)
        counts = (await other.vector_stores.get(ME, "vs_1")).counts
        assert (counts.in_progress, counts.failed, counts.total) == (0, 1, 1)

    run(scenario())


def test_all_counters_can_be_set_again(store: Store, run: Run) -> None:
    """As the migration of an older database does."""

    async def scenario() -> None:
        player = Player(store, 1)
        await player.upload()
        for _ in range(30):
            await player.step()
        before = await store._database.read(kept)
        reset = ", ".join(f"{name} = 0" for name in COUNTERS)
        await store._database.write(lambda c: c.execute(text(f"UPDATE vector_stores SET {reset}")))
        await store._database.write(count_all)
        assert await store._database.read(kept) == before

    run(scenario())


def test_reading_a_vector_store_reads_none_of_its_files(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.vector_stores.create(ME, vector_store("vs_1"))
        await store.files.add(ME, file("file_1"))
        await store.attachments.attach("vs_1", [attachment("file_1")])
        with watched() as seen:
            assert (await store.vector_stores.get(ME, "vs_1")).counts.total == 1
            await store.vector_stores.page(ME, ALL)
        assert len(seen) >= 2
        assert not [each.text for each in seen if "vector_store_files" in each.text]

    run(scenario())
