from math import cos, sin
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from antiphon.store import Store
from antiphon.store.vector_stores import chunks as chunk_module
from antiphon.store.vector_stores import tables
from antiphon.store.vector_stores.chunks import NewChunk
from antiphon.store.vector_stores.search import blocks, by_vector
from tests.store.conftest import Run
from tests.store.vector_stores.searching import ME, cosine, keep, new_store, search, texts, vector


def test_the_nearest_vectors_are_found_with_their_cosines(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        new = [
            NewChunk("same", vector(2, 0)),
            NewChunk("near", vector(3, 4)),
            NewChunk("across", vector(0, 1)),
            NewChunk("opposite", vector(-1, 0)),
            NewChunk("of another model", vector(1, 0, 0)),
            NewChunk("without", None),
        ]
        await keep(store, "vs_1", "file_1", new)
        found = (await search(store, None, vector(1, 0))).by_vector
        assert (await texts(store, found))[:2] == ["same", "near"]
        assert sorted(found.values(), reverse=True) == pytest.approx([1.0, 0.6, 0.0, 0.0], abs=1e-6)
        assert len((await search(store, None, vector(1, 0), limit=2)).by_vector) == 2

    run(scenario())


def test_a_postgresql_without_pgvector_compares_as_sqlite_does(
    new_url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tables, by_vector, chunk_module):
        monkeypatch.setattr(module, "pgvector_schema", lambda connection: None)

    async def scenario() -> None:
        store = await Store.open(new_url)
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", [NewChunk("near", vector(3, 4)), NewChunk("far", vector(0, 1))])
        found = (await search(store, None, vector(1, 0))).by_vector
        assert sorted(found.values()) == pytest.approx([0.0, 0.6], abs=1e-6)
        assert (await texts(store, found))[0] == "near"
        await store.close()

    run(scenario())


def test_the_nearest_of_many_are_exact_and_follow_changes(
    new_url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks stay in memory between searches."""
    for module in (tables, by_vector, chunk_module):
        monkeypatch.setattr(module, "pgvector_schema", lambda connection: None)
    chance = Random(3)

    def some(number: int) -> list[NewChunk]:
        vectors = [[chance.gauss(0, 1) for _ in range(32)] for _ in range(number)]
        return [NewChunk(f"text {at}", vector(*each)) for at, each in enumerate(vectors)]

    def exact(sought: bytes, new: list[NewChunk]) -> list[bytes]:
        return sorted((each.vector or b"" for each in new), key=lambda each: -cosine(sought, each))

    async def scenario() -> None:
        store = await Store.open(new_url)
        await new_store(store, "vs_1")
        kept: dict[str, list[NewChunk]] = {}
        for number in range(20):  # More than the parts that may be added to those in memory.
            name = f"file_{number}"
            kept[name] = some(60)
            await keep(store, "vs_1", name, kept[name])
            if number % 5 == 4:
                await store.files.delete(ME, f"file_{number - 2}")
                del kept[f"file_{number - 2}"]
            sought = some(1)[0].vector or b""
            for allowed in (None, [name], ["file_0"]):
                filters = None if allowed is None else {"vs_1": allowed}
                found = (await search(store, None, sought, allowed=filters, limit=10)).by_vector
                all_of_them = [each for file in (allowed or kept) for each in kept[file]]
                expected = exact(sought, all_of_them)[:10]
                assert list(found.values()) == pytest.approx(
                    [max(cosine(sought, each), 0) for each in expected], abs=1e-5
                )
        await store.close()

    run(scenario())


def test_vectors_that_memory_does_not_hold_are_read_from_the_database(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_MEMORY", 100)

    async def scenario() -> None:
        store = await Store.open(f"sqlite:///{tmp_path}/small.db")
        for number in range(3):
            await new_store(store, f"vs_{number}")
            new = [NewChunk("text", vector(cos(at), sin(at))) for at in range(20 + 40 * number)]
            await keep(store, f"vs_{number}", f"file_{number}", new)
        for number in (0, 1, 2, 0):
            found = await search(store, None, vector(1, 0), stores=[f"vs_{number}"], limit=1)
            assert list(found.by_vector.values()) == pytest.approx([1.0])
        held = store.chunks._blocks._held
        assert list(held) == [("vs_0", 2)]
        await store.close()

    run(scenario())


def test_an_old_database_gets_its_blocks(tmp_path: Path, run: Run) -> None:
    location = f"sqlite:///{tmp_path}/old.db"

    async def scenario() -> None:
        store = await Store.open(location)
        await new_store(store, "vs_1")
        new = [NewChunk(f"text {at}", vector(cos(at), sin(at))) for at in range(450)]
        await keep(store, "vs_1", "file_1", new)
        await keep(store, "vs_1", "file_2", [NewChunk("other", vector(1, 1, 0))])
        expected = await search(store, None, vector(1, 0), limit=500)
        for statement in (
            "DROP TABLE vector_blocks",
            "DELETE FROM schema_version WHERE name = 'm014_vector_blocks'",
        ):
            await store._database.write(lambda c, s=statement: c.execute(text(s)))  # type: ignore[misc]
        await store.close()
        store = await Store.open(location)
        assert await search(store, None, vector(1, 0), limit=500) == expected
        assert len(expected.by_vector) == 450
        assert len((await search(store, None, vector(1, 0, 0))).by_vector) == 1
        await store.close()

    run(scenario())
