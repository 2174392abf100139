from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from sqlalchemy import Engine, event, text

from antiphon.store import Store
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from antiphon.store.vector_stores.search.hnsw import missing_indexes
from tests.store.conftest import Run
from tests.store.vector_stores.searching import keep, new_store, vector

SIZE = 1500
LIMIT = 10


@contextmanager
def statements() -> Iterator[list[str]]:
    noted: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        noted.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def some(chance: Random, number: int) -> list[NewChunk]:
    return [NewChunk(f"text {at}", vector(*(chance.gauss(0, 1) for _ in range(16)))) for at in range(number)]


async def find(
    store: Store, sought: bytes, stores: list[str], least: int | None, files: list[str] | None = None
) -> list[int]:
    allowed = None if files is None else dict.fromkeys(stores, files)
    return list(
        (await store.chunks.search(ChunkQuery(stores, None, sought, allowed, LIMIT, least))).by_vector
    )


@pytest.fixture
def own(new_url: str, run: Run) -> Iterator[Store]:
    """Yield a store with tables of its own, because indexes remain."""
    opened = run(Store.open(new_url))
    yield opened
    run(opened.close())


on_postgresql = pytest.mark.parametrize("new_url", ["postgresql"], indirect=True)


@on_postgresql
def test_the_index_finds_what_an_exact_search_finds(own: Store, run: Run) -> None:
    store = own

    async def scenario() -> None:
        chance = Random(4)
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", some(chance, SIZE))
        await new_store(store, "vs_2")
        await keep(store, "vs_2", "file_2", some(chance, 300))
        questions = [each.vector or b"" for each in some(chance, 20)]
        exact = [await find(store, each, ["vs_1"], None) for each in questions]
        await store.chunks.build_indexes(SIZE + 1)
        assert await store._database.read(lambda c: missing_indexes(c, SIZE)) == [16]
        await store.chunks.build_indexes(SIZE)
        assert await store._database.read(lambda c: missing_indexes(c, SIZE)) == []
        with statements() as executed:
            found = [await find(store, each, ["vs_1"], SIZE) for each in questions]
        assert sum("halfvec" in each for each in executed) == len(questions)
        recall = sum(len(set(a) & set(b)) for a, b in zip(exact, found, strict=True)) / LIMIT / len(questions)
        assert recall > 0.95
        with statements() as executed:  # A small store and one with a filter are searched exactly.
            assert len(await find(store, questions[0], ["vs_2"], SIZE)) == LIMIT
            assert await find(store, questions[0], ["vs_1"], SIZE, ["file_1"]) == exact[0]
        assert not any("halfvec" in each for each in executed)

    run(scenario())


@on_postgresql
def test_an_interrupted_build_is_repeated(own: Store, run: Run) -> None:
    store = own

    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", some(Random(5), 50))
        await store.chunks.build_indexes(50)
        invalid = (
            "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'chunk_vectors_hnsw_16'::regclass"
        )
        await store._database.write(lambda c: c.execute(text(invalid)))
        assert await store._database.read(lambda c: missing_indexes(c, 50)) == [16]
        assert len(await find(store, vector(*range(1, 17)), ["vs_1"], 50)) == LIMIT
        await store.chunks.build_indexes(50)
        assert await store._database.read(lambda c: missing_indexes(c, 50)) == []

    run(scenario())


def test_other_databases_build_nothing(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", [NewChunk("without a vector", None)])
        await store.chunks.build_indexes(1)
        assert await store._database.read(lambda c: missing_indexes(c, 1)) == []

    run(scenario())
