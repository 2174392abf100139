from array import array
from collections.abc import Sequence
from math import cos, sin
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from antiphon.store import Store
from antiphon.store.vector_stores import by_vector, tables
from antiphon.store.vector_stores import chunks as chunk_module
from antiphon.store.vector_stores.by_words import words
from antiphon.store.vector_stores.chunks import ChunkQuery, FoundChunks, NewChunk
from antiphon.store.vector_stores.rows import AttachedFile, Attachment, NewVectorStore, StoredFile
from tests.store.conftest import Run

ME = "owner-1"


def vector(*values: float) -> bytes:
    return array("f", values).tobytes()


def chunks(*texts: str) -> list[NewChunk]:
    return [NewChunk(each, None) for each in texts]


async def new_store(store: Store, vector_store_id: str) -> None:
    await store.vector_stores.create(
        ME,
        NewVectorStore(
            id=vector_store_id,
            created_at=1.0,
            name="",
            metadata="{}",
            expires_after_days=None,
            embedding_model=None,
            embedding_dimension=None,
        ),
    )


async def attach(store: Store, vector_store_id: str, file_id: str) -> AttachedFile:
    attachment = Attachment(
        file_id=file_id, created_at=1.0, attributes="{}", max_chunk_size=800, chunk_overlap=400
    )
    return (await store.attachments.attach(vector_store_id, [attachment]))[0]


async def keep(store: Store, vector_store_id: str, file_id: str, new: Sequence[NewChunk]) -> AttachedFile:
    """Store a file with these chunks in a vector store."""
    await store.files.add(
        ME,
        StoredFile(
            id=file_id,
            created_at=1.0,
            expires_at=None,
            purpose="assistants",
            filename=f"{file_id}.txt",
            media_type=None,
            bytes=1,
        ),
    )
    attached = await attach(store, vector_store_id, file_id)
    assert await store.chunks.replace(vector_store_id, file_id, attached.attempt, new)
    await store.attachments.finish(attached, 1)
    return attached


async def search(
    store: Store,
    sought: str | None,
    nearest: bytes | None = None,
    *,
    stores: Sequence[str] = ("vs_1",),
    allowed: dict[str, list[str]] | None = None,
    limit: int = 10,
) -> FoundChunks:
    return await store.chunks.search(ChunkQuery(stores, sought, nearest, allowed, limit))


async def texts(store: Store, found: dict[int, float]) -> list[str]:
    """Return the found texts, the best first."""
    stored = await store.chunks.get(list(found))
    return [stored[each].text for each in sorted(found, key=lambda each: -found[each])]


def test_words_are_found_the_rarest_and_most_frequent_first(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(
            store,
            "vs_1",
            "file_1",
            chunks(
                "The owl sleeps in the barn.",
                "An owl, an owl and one more owl: three of them.",
                "The falcon and the owl hunt.",
                "Nothing of that kind at all.",
                "Mice, cats, dogs and other animals.",
            ),
        )
        found = await search(store, "What do the owl and the falcon do?")
        ranked = await texts(store, found.by_words)
        assert ranked[0] == "The falcon and the owl hunt."
        assert ranked[1].startswith("An owl, an owl")
        assert ranked[2:] == ["The owl sleeps in the barn."]
        assert all(0 < score <= 1 for score in found.by_words.values())
        assert found.by_vector == {}

    run(scenario())


@pytest.mark.parametrize(
    ("sought", "kept"),
    [
        ("searches", "We searched for it."),
        ("SEARCHING", "We searched for it."),
        ("Grüße", "Viele grüße aus Köln"),
        ("東京", "私は東京都に住んでいます"),
        ("blue_falcon", "The word is BLUE_FALCON."),
        ("blue falcon", "The word is BLUE_FALCON."),
        ("error 4711", "It says error 4711, again."),
        ("foo/bar.txt", "See foo/bar.txt for that."),
        ("to be or not to be", "To be or not to be, that is the question."),
    ],
)
def test_words_are_compared_as_people_do(sought: str, kept: str, store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", chunks(kept, "Something else.", "另一个", "Und noch etwas."))
        found = (await search(store, sought)).by_words
        # PostgreSQL's `english` ignores all words of "to be or not to be".
        assert await texts(store, found) in ([kept], [] if sought.startswith("to be") else [kept])

    run(scenario())


HOSTILE = [
    "",
    " ",
    '"',
    "'; DROP TABLE chunks; --",
    'a" OR "b',
    "NEAR(a b, 5)",
    "terms : a",
    "a AND NOT b",
    "a* ^b -c +d",
    "(((",
    "a:b & c | !d <-> e",
    "\\",
    "%_",
    "\ud7ff\uffff",
    "² ⅷ ﬁ",
    "a" * 100_000,
    "a b " * 50_000,
    "é\u0301\u200d",
]


@pytest.mark.parametrize("sought", HOSTILE)
def test_no_query_is_syntax(sought: str, store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", chunks("one a", "two c", "three"))
        found = await search(store, sought)
        assert "three" not in await texts(store, found.by_words)
        assert len(await texts(store, (await search(store, "three")).by_words)) == 1

    run(scenario())


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_any_query_is_answered(store: Store, run: Run, sought: str) -> None:
    found = run(search(store, sought, stores=["vs_none"]))
    assert found.by_words == {}


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


def test_sqlite_asks_its_index_of_words_once(tmp_path: Path, run: Run) -> None:
    """A query per row of the scope would take seconds instead of milliseconds."""
    statements: list[tuple[str, tuple[object, ...]]] = []

    def note(
        connection: object, cursor: object, statement: str, given: tuple[object, ...], *_: object
    ) -> None:
        statements.append((statement, given))

    async def plan() -> list[str]:
        store = await Store.open(f"sqlite:///{tmp_path}/plan.db")
        event.listen(Engine, "before_cursor_execute", note)
        try:
            await search(store, "owl")
            statement, given = next(each for each in statements if "bm25" in each[0])
            explained = f"EXPLAIN QUERY PLAN {statement}"
            return await store._database.read(
                lambda c: [row.detail for row in c.exec_driver_sql(explained, given)]
            )
        finally:
            event.remove(Engine, "before_cursor_execute", note)
            await store.close()

    # M is the condition of MATCH; a condition on the row would be an = before it.
    assert any(line.startswith("SCAN chunk_terms VIRTUAL TABLE INDEX 0:M") for line in run(plan()))


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("One-two, THREE_4!", ["one", "two", "three", "4"]),
        ("東京都 abc日本def", ["東京", "京都", "abc", "日本", "def"]),
        ("猫", ["猫"]),
        ("a日b", ["a", "日", "b"]),
        ("... \n", []),
    ],
)
def test_words(written: str, found: list[str]) -> None:
    assert words(written) == found
