import json
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, event

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.errors import PreviousResponseNotFound
from antiphon.store.migrations import MIGRATIONS, migrate
from antiphon.store.responses.chain import HISTORY
from tests.store.conftest import Run
from tests.store.samples import ME, begin_in, bodies, converse, finished, item, new_response, respond


async def seen_after(store: Store, response_id: str) -> list[str]:
    """Return the ids of the items that a follow-up of the response sees."""
    history = await store.responses.history(ME, response_id)
    return [json.loads(found)["id"] for found in history.bodies]


def test_a_chain_is_read_from_its_beginning(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["z1", "a1"], ["z2", "a2"])
        await respond(store, "resp_2", ["b1"], ["b2"], previous="resp_1")
        await respond(store, "resp_3", ["c1"], ["c2"], previous="resp_2")
        assert await seen_after(store, "resp_1") == ["z1", "a1", "z2", "a2"]
        assert await seen_after(store, "resp_3") == ["z1", "a1", "z2", "a2", "b1", "b2", "c1", "c2"]

    run(scenario())


def test_branches_do_not_see_each_other(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["a"], ["b"])
        await respond(store, "resp_2", ["left"], [], previous="resp_1")
        await respond(store, "resp_3", ["right"], [], previous="resp_1")
        assert await seen_after(store, "resp_2") == ["a", "b", "left"]
        assert await seen_after(store, "resp_3") == ["a", "b", "right"]

    run(scenario())


def test_an_item_that_was_linked_again_is_seen_again(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["a"], ["b"])
        again = msgspec.structs.replace(new_response("resp_2", previous="resp_1"), input_ids=["a"])
        await store.pending.begin(ME, again)
        assert await seen_after(store, "resp_2") == ["a", "b", "a"]

    run(scenario())


def test_responses_without_items(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", [], [])
        await respond(store, "resp_2", [], ["b"], previous="resp_1")
        await respond(store, "resp_3", [], [], previous="resp_2")
        assert await seen_after(store, "resp_1") == []
        assert await seen_after(store, "resp_3") == ["b"]

    run(scenario())


def test_the_status_is_that_of_the_last_response(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["a"], [])
        await store.pending.begin(ME, new_response("resp_2", "b", previous="resp_1"))
        assert (await store.responses.history(ME, "resp_2")).status == "in_progress"
        assert (await store.responses.history(ME, "resp_1")).status == "completed"

    run(scenario())


def test_the_missing_response_is_named(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number, previous in enumerate([None, "resp_0", "resp_1", "resp_2"]):
            await respond(store, f"resp_{number}", [f"in_{number}"], [], previous=previous)
        await store.responses.delete(ME, "resp_1")
        with pytest.raises(PreviousResponseNotFound) as deleted:
            await store.responses.history(ME, "resp_3")
        assert deleted.value.response_id == "resp_1"
        assert deleted.value.message == "Previous response with id 'resp_1' not found."
        with pytest.raises(PreviousResponseNotFound, match="'resp_9'"):
            await store.responses.history(ME, "resp_9")

    run(scenario())


def test_a_chain_into_somebody_elses_response_is_broken(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.pending.begin("somebody", new_response("resp_1", "secret"))
        await respond(store, "resp_2", ["a"], [], previous="resp_1")
        with pytest.raises(PreviousResponseNotFound, match="'resp_1'"):
            await store.responses.history(ME, "resp_2")

    run(scenario())


def test_a_branch_from_a_conversation_sees_what_its_response_saw(store: Store, run: Run) -> None:
    """The branch doesn't have items that were added to the conversation later."""

    async def scenario() -> None:
        await converse(store, "conv_1", "a", "b")
        await begin_in(store, "conv_1", "resp_1", "c")
        await store.conversations.add_items(ME, "conv_1", [item("later")], ["later"])
        await store.pending.finish(ME, finished("resp_1", "d"))
        await begin_in(store, "conv_1", "resp_2", "e")
        await store.pending.finish(ME, finished("resp_2", "f"))
        await respond(store, "resp_3", ["x"], ["y"], previous="resp_1")
        assert await seen_after(store, "resp_1") == ["a", "b", "c", "d"]
        assert await seen_after(store, "resp_2") == ["a", "b", "later", "c", "d", "e", "f"]
        assert await seen_after(store, "resp_3") == ["a", "b", "c", "d", "x", "y"]

    run(scenario())


def test_a_place_in_a_conversation_is_not_used_twice(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a", "b")
        await begin_in(store, "conv_1", "resp_1")
        await store.pending.finish(ME, finished("resp_1"))
        await store.conversations.delete_item(ME, "conv_1", "b")
        await store.conversations.add_items(ME, "conv_1", [item("later")], ["later"])
        assert await seen_after(store, "resp_1") == ["a"]

    run(scenario())


def test_a_branch_outlives_its_conversation(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a")
        await begin_in(store, "conv_1", "resp_1", "b")
        await store.pending.finish(ME, finished("resp_1", "c"))
        assert await store.conversations.delete(ME, "conv_1")
        assert await seen_after(store, "resp_1") == ["a", "b", "c"]

    run(scenario())


def test_a_long_chain_is_one_query(store: Store, run: Run) -> None:
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    async def build() -> None:
        for number in range(60):
            previous = f"resp_{number - 1}" if number else None
            await respond(store, f"resp_{number}", [f"in_{number}"], [f"out_{number}"], previous=previous)

    run(build())
    event.listen(Engine, "before_cursor_execute", note)
    try:
        history = run(store.responses.history(ME, "resp_59"))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    expected = [found for n in range(60) for found in bodies(f"in_{n}", f"out_{n}")]
    assert history.bodies == expected
    queries = [statement for statement in statements if not statement.startswith("BEGIN")]
    assert len(queries) == 1
    assert "RECURSIVE" in queries[0]


def test_a_history_is_found_by_keys_alone(tmp_path: Path) -> None:
    """SQLite's plan must not scan a table, or all rows of an owner, however much is stored."""
    engine = open_engine(str(tmp_path / "state.db")).writing
    compiled = HISTORY.compile(dialect=engine.dialect)
    values = compiled.construct_params({"owner": ME, "response_id": "resp_1"})
    with engine.connect() as connection:
        migrate(connection, MIGRATIONS)
        parameters = tuple(values[name] for name in compiled.positiontup or [])
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters).all()
    engine.dispose()
    steps = [str(step.detail) for step in plan]
    for table in ("responses", "response_items", "conversation_items", "items"):
        found = [step for step in steps if step.startswith(("SEARCH", "SCAN")) and step.split()[1] == table]
        assert found, table
        for step in found:
            assert step.startswith("SEARCH")
            assert "id=?" in step
