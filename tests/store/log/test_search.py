"""Full-text search over inputs and outputs."""

import json

import pytest
from sqlalchemy import select

from antiphon.store import Store
from antiphon.store.log import records
from antiphon.store.log.search import texts_of, words_of
from antiphon.store.log.tables import unindexed
from tests.store.conftest import Run
from tests.store.log.samples import Facts, logged, numbers
from tests.store.samples import ME


def test_all_words_must_occur_and_the_last_may_be_cut_off(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await logged(store, 1, "When do the ferries leave?")
        await logged(store, 2, "Ferries are ships.")
        assert await numbers(store, text="ferries") == [2, 1]
        assert await numbers(store, text="FERRIES leave") == [1]
        assert await numbers(store, text="ferries shi") == [2]
        assert await numbers(store, text="ferr leave") == []
        assert await numbers(store, text="?!") == []

    run(scenario())


def test_a_search_finds_only_responses_of_its_owner(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await logged(store, 1, "ferries")
        await logged(store, 2, "ferries", Facts(owner='other" OR texts:ferries'))
        assert await numbers(store, text="ferries", owner=ME) == [1]
        assert await numbers(store, text="ferries", owner='other" OR texts:ferries') == [2]
        assert await numbers(store, text="ferries", owner="third") == []

    run(scenario())


def test_other_conditions_hold_in_a_search(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number, model in enumerate("abab", 1):
            await logged(store, number, "ferries", Facts(model=model))
        assert await numbers(store, text="ferries", model="a") == [3, 1]
        assert await numbers(store, text="ferries", since=2.0) == [4, 3, 2]
        assert await numbers(store, text="ferries", after="resp_003") == [2, 1]
        assert await numbers(store, text="ferries", limit=1) == [4]

    run(scenario())


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Überraschung", "uberr"),
        ("今日は東京タワー", "東京"),
        ("see https://example.com/ferries_2026", "example ferries 2026"),
        ("naïve café", "naive cafe"),
        ("'quoted\" AND (texts) NEAR*", "quoted and texts near"),
        ("it's 100% & <b>|!:*\\", "s 100 b"),
    ],
)
def test_words_of_any_language_and_signs_are_found(store: Store, run: Run, text: str, query: str) -> None:
    async def scenario() -> None:
        await logged(store, 1, text)
        assert await numbers(store, text=query) == [1]
        assert await numbers(store, text=text) == [1]

    run(scenario())


def test_a_response_that_was_indexed_twice_is_found_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await logged(store, 1, "ferries")
        await store.log.index()
        await store.log.index()
        assert await numbers(store, text="ferries") == [1]

    run(scenario())


def test_a_busy_server_indexes_a_few_responses_and_a_search_the_rest(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_SLICES", 1)

    async def scenario() -> None:
        for number in range(60):
            await logged(store, number, "ferries")
        await store.log.index_a_few()
        assert await store._database.read(lambda c: len(c.execute(select(unindexed)).all())) == 10
        assert len(await numbers(store, text="ferries", limit=100)) == 60
        await store.log.index_a_few()

    run(scenario())


def test_texts_are_those_of_people_and_models_and_not_ids_or_signatures() -> None:
    item = {
        "type": "mcp_call",
        "id": "mcp_1",
        "name": "ask",
        "arguments": '{"q": "x"}',
        "output": "Found.",
        "encrypted_content": "AAAA",
        "action": {"query": "ferries", "type": "search", "sources": [{"url": "https://example.org"}]},
    }
    assert list(texts_of("mcp_call", json.dumps(item))) == [
        '{"q": "x"}',
        "Found.",
        "ferries",
        "https://example.org",
    ]


def test_a_word_is_bounded_and_so_is_a_text(store: Store, run: Run) -> None:
    assert words_of("a" * 1000) == ["a" * 60]

    async def scenario() -> None:
        await logged(store, 1, "word " * 100_000 + "last")
        assert await numbers(store, text="word") == [1]
        assert await numbers(store, text="last") == []

    run(scenario())
