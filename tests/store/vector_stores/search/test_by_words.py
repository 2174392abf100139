from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from antiphon.store import Store
from antiphon.store.vector_stores.search import by_words
from antiphon.store.vector_stores.search.by_words import MAX_WORDS, words
from tests.store.conftest import Run
from tests.store.vector_stores.searching import chunks, keep, new_store, search, texts


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


def test_a_name_or_number_weighs_more_than_other_words(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        new = chunks(
            "Invoices 88213, 88312, 88231 and 82138 were paid.",
            "The customer pays when the customer can pay.",
            "A customer payment, a customer.",
            "Nothing else.",
        )
        await keep(store, "vs_1", "file_1", new)
        found = (await search(store, "When did the customer pay 88231?")).by_words
        assert (await texts(store, found))[0].startswith("Invoices")

    run(scenario())


def test_words_that_no_chunk_has_make_a_match_weak(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(
            store, "vs_1", "file_1", chunks("The owl sleeps.", "Dogs bark.", "Cats purr.", "Mice hide.")
        )
        strong = (await search(store, "owl")).by_words
        weak = (await search(store, "owl telescope frigate harbor")).by_words
        assert list(weak) == list(strong)
        assert max(weak.values()) < max(strong.values()) / 3

    run(scenario())


def test_a_match_among_few_chunks_is_no_weak_one(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", chunks("Pump P-4711 is serviced each year."))
        for sought in ("P-4711", "How often does somebody look after P-4711?"):
            [score] = (await search(store, sought)).by_words.values()
            assert 0.1 < score <= 1

    run(scenario())


def test_a_query_of_very_many_numbers_is_answered(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await new_store(store, "vs_1")
        numbers = [str(4000 + number) for number in range(100)]
        await keep(store, "vs_1", "file_1", chunks(*numbers, " ".join(numbers)))
        assert len((await search(store, " ".join(numbers), limit=200)).by_words) == MAX_WORDS + 1

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
        await new_store(store, "vs_1")
        await keep(store, "vs_1", "file_1", chunks("one owl"))
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


def test_sqlite_searches_the_list_of_a_store_only_if_it_is_a_small_part(tmp_path: Path, run: Run) -> None:
    """The intersection with the list of all chunks of a large store would take longer than the ranking."""
    queries: list[str] = []

    def note(
        connection: object, cursor: object, statement: str, given: tuple[object, ...], *_: object
    ) -> None:
        if "bm25" in statement:
            queries.extend(map(str, given))

    async def scenario() -> None:
        store = await Store.open(f"sqlite:///{tmp_path}/parts.db")
        for name, number in (("vs_large", 40), ("vs_small", 4)):
            await new_store(store, name)
            await keep(store, name, f"file_{name}", chunks(*(f"owl {name} {at}" for at in range(number))))
        event.listen(Engine, "before_cursor_execute", note)
        try:
            for name, number in (("vs_large", 40), ("vs_small", 4), ("vs_none", 0)):
                found = (await search(store, "owl", stores=[name], limit=100)).by_words
                assert len(found) == number
                assert all(name in each for each in await texts(store, found))
        finally:
            event.remove(Engine, "before_cursor_execute", note)
            await store.close()

    run(scenario())
    assert ["store" in query for query in queries] == [False, True, True]


def test_a_search_ranks_a_limited_number_of_chunks_by_their_rarest_words(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_MOST_MATCHED", "_MOST_RANKED"):
        monkeypatch.setattr(by_words, name, 10)

    async def scenario() -> None:
        await new_store(store, "vs_1")
        new = chunks(
            *(f"An owl of the barn number{at}." for at in range(40)), "A falcon.", "An owl, a falcon."
        )
        await keep(store, "vs_1", "file_1", new)
        # FTS5 ranks all chunks with the rarest word of a query; PostgreSQL the first of them.
        assert len((await search(store, "owl", limit=100)).by_words) >= 10
        found = (await search(store, "What do the owl and the falcon do?", limit=100)).by_words
        assert sorted(await texts(store, found)) == ["A falcon.", "An owl, a falcon."]
        assert all(0 < score < 0.9 for score in found.values())
        found = (await search(store, "owl number7 heron", limit=100)).by_words
        assert await texts(store, found) == ["An owl of the barn number7."]

    run(scenario())


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
