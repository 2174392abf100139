"""Checks and sizes on both databases."""

from pathlib import Path

from sqlalchemy import text

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.tables import metadata
from antiphon.store.upkeep.check import pending, problems_of
from antiphon.store.upkeep.schema import reading
from antiphon.store.upkeep.sizes import table_sizes
from tests.store.conftest import Run
from tests.store.file_samples import attach
from tests.store.runs.samples import submit
from tests.store.samples import begin_in, converse, respond


async def fill(store: Store) -> None:
    await respond(store, "resp_1", ["a"], ["b"])
    await converse(store, "conv_1", "c")
    await begin_in(store, "conv_1", "running", "d")
    await submit(store, "queued")
    await attach(store, "vs_1", "file_1")


def execute(url: str, *statements: str) -> None:
    engine = open_engine(url).writing
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def problems(url: str) -> list[str]:
    with reading(url) as connection:
        return [problem.text for problem in problems_of(connection)]


def test_a_database_in_use_has_no_problems(store: Store, url: str, run: Run) -> None:
    run(fill(store))
    assert problems(url) == []
    with reading(url) as connection:
        assert pending(connection) == {
            "deletions": 0,
            "background_runs": 1,
            "running_responses": 2,
            "servers": 1,
        }


def test_missing_and_unlinked_items_are_found(store: Store, url: str, run: Run) -> None:
    run(fill(store))
    execute(
        url,
        "DELETE FROM items WHERE id IN ('a', 'c')",
        "INSERT INTO items (owner, id, kind, body) VALUES ('other', 'b', 'message', '{}')",
    )
    assert problems(url) == [
        "1 items of responses are missing, such as a",
        "1 items of conversations are missing, such as c",
        "1 items belong to no response and no conversation, such as b",
    ]


def test_a_row_without_its_parent_is_found(tmp_path: Path, run: Run) -> None:
    """PostgreSQL doesn't let this happen."""
    url = str(tmp_path / "state.db")

    async def scenario() -> None:
        store = await Store.open(url)
        await fill(store)
        await store.close()

    run(scenario())
    engine = open_engine(url).writing
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("DELETE FROM files")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    assert problems(url) == ["row 1 of vector_store_files refers to a missing row of files"]


def test_the_sizes_of_all_tables(store: Store, url: str, run: Run) -> None:
    run(fill(store))
    with reading(url) as connection:
        sizes = {each.name: each for each in table_sizes(connection)}
    assert sizes.keys() == metadata.tables.keys() | {"chunk_terms", "chunk_vectors", "search_texts"}
    assert (sizes["responses"].rows, sizes["items"].rows, sizes["files"].rows) == (3, 5, 1)
    assert all(each.bytes for each in sizes.values())
