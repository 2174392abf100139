from math import cos, sin

import pytest
from sqlalchemy import Connection, text

from antiphon.store import Store
from antiphon.store.vector_stores.chunks import FoundChunks, NewChunk
from antiphon.store.vector_stores.search.scope import Scope
from bench.quality import rank_all
from bench.questions import load, load_vectors
from tests.store.conftest import Run
from tests.store.vector_stores.searching import ME, attach, chunks, keep, new_store, search, texts, vector


def test_each_store_is_searched_alone_or_with_others(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in ("1", "2", "3"):
            await new_store(store, f"vs_{number}")
            await keep(
                store, f"vs_{number}", f"file_{number}", [NewChunk(f"owl number {number}", vector(1, 0))]
            )
        for stores in (["vs_1"], ["vs_1", "vs_3"]):
            found = await search(store, "owl", vector(1, 0), stores=stores)
            expected = [f"owl number {each[-1]}" for each in stores]
            assert sorted(await texts(store, found.by_words)) == expected
            assert sorted(await texts(store, found.by_vector)) == expected

    run(scenario())


def test_what_is_not_allowed_takes_nobodys_place(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", [NewChunk("owl owl owl", vector(1, 0))] * 20)
        await keep(store, "vs_1", "file_2", [NewChunk("one owl among other birds", vector(0.5, 0.5))])
        allowed = {"vs_1": ["file_2"], "vs_9": ["file_1"]}
        found = await search(store, "owl", vector(1, 0), allowed=allowed, limit=5)
        assert await texts(store, found.by_words) == ["one owl among other birds"]
        assert await texts(store, found.by_vector) == ["one owl among other birds"]
        nothing = await search(store, "owl", vector(1, 0), allowed={}, limit=5)
        assert nothing == FoundChunks({}, {})

    run(scenario())


def test_chunks_that_are_still_being_read_take_nobodys_place(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", [NewChunk("one owl among others", vector(0.5, 0.5))])
        attached = await keep(store, "vs_1", "file_2", [])
        again = await attach(store, "vs_1", attached.file_id)
        await store.chunks.replace("vs_1", "file_2", again.attempt, [NewChunk("owl owl", vector(1, 0))] * 300)
        found = await search(store, "owl", vector(1, 0), limit=5)
        assert await texts(store, found.by_words) == ["one owl among others"]
        assert await texts(store, found.by_vector) == ["one owl among others"]

    run(scenario())


def test_many_chunks_keep_their_order(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        angles = [number / 100 for number in range(450)]
        new = [NewChunk(f"text {angle}", vector(cos(angle), sin(angle))) for angle in angles]
        await keep(store, "vs_1", "file_1", new)
        assert await store.chunks.of_file("vs_1", "file_1") == [each.text for each in new]
        found = (await search(store, None, vector(cos(4.49), sin(4.49)), limit=1)).by_vector
        assert await texts(store, found) == ["text 4.49"]

    run(scenario())


def test_a_file_is_found_when_it_is_completed(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        attached = await keep(store, "vs_1", "file_1", [NewChunk("old owl", vector(1, 0))])
        again = await attach(store, "vs_1", "file_1")
        # The reading that began before the file was attached again has no effect.
        assert not await store.chunks.replace("vs_1", "file_1", attached.attempt, chunks("late owl"))
        assert await store.chunks.replace(
            "vs_1", "file_1", again.attempt, [NewChunk("new owl", vector(1, 0))]
        )
        assert await search(store, "owl", vector(1, 0)) == FoundChunks({}, {})
        await store.attachments.finish(again, 1)
        found = await search(store, "owl", vector(1, 0))
        assert await texts(store, found.by_words) == await texts(store, found.by_vector) == ["new owl"]

    run(scenario())


@pytest.mark.parametrize("gone", ["file", "store"])
def test_nothing_is_left_of_what_is_deleted(gone: str, store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        attached = await keep(store, "vs_1", "file_1", [NewChunk("owl", vector(1, 0))])
        if gone == "file":
            await store.files.delete(ME, "file_1")
        else:
            await store.vector_stores.delete(ME, "vs_1")
        assert not await store.chunks.replace("vs_1", "file_1", attached.attempt, chunks("owl"))
        for table in ("chunks", "chunk_terms", "chunk_vectors"):
            count = text(f"SELECT count(*) FROM {table}")
            assert await store._database.read(lambda c, q=count: c.execute(q).scalar()) == 0  # type: ignore[misc]

    run(scenario())


def test_postgresql_tests_files_in_a_hash_table(store: Store, run: Run) -> None:
    """A walk through all allowed files for each chunk would take quadratic time."""
    if store.location.startswith(("/", ":")):
        pytest.skip("SQLite has another plan.")

    def plan(connection: Connection) -> list[str]:
        scope, given = Scope(["vs_1"], {"vs_1": ["file_1", "file_2"]}).postgresql()
        return list(connection.execute(text(f"EXPLAIN {scope}"), given).scalars())

    assert "hashed SubPlan" in " ".join(run(store._database.read(plan)))


def test_hybrid_search_is_as_good_as_the_better_of_both(store: Store, run: Run) -> None:
    figures = run(rank_all(store, load(), load_vectors()))
    hybrid = figures["hybrid"]
    alone = [figures[way] for way in ("keyword", "semantic")]
    for within in (1, 5):
        assert hybrid.hits("paraphrased", within) >= max(each.hits("paraphrased", within) for each in alone)
    assert hybrid.mrr("paraphrased") >= max(each.mrr("paraphrased") for each in alone)
    assert hybrid.hits("rare", 1) > max(each.hits("rare", 1) for each in alone)
    assert hybrid.mrr("rare") > max(each.mrr("rare") for each in alone)
