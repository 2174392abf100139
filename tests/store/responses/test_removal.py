"""No item outlives the last visible response or conversation that needs it."""

from collections.abc import Callable, Iterable
from itertools import permutations
from threading import Thread

import msgspec
import pytest
from sqlalchemy import Connection, text

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.errors import ObjectNotFound, PreviousResponseNotFound
from antiphon.store.responses import removal
from antiphon.store.responses.conversations import _add_items as add_items
from antiphon.store.responses.conversations import _delete as delete_conversation
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import (
    ME,
    begin_in,
    converse,
    count_rows,
    finished,
    item,
    new_response,
    respond,
    seen_in,
)
from tests.support.tables import empty_tables
from tests.support.thorough import some_of

TABLES = ("items", "conversation_items", "response_items", "conversations", "responses", "deletions")

OWN = {
    "r1": {"r1_in", "r1_out"},
    "r2": {"r2_in", "r2_out"},
    "branch": {"branch_in", "branch_out"},
}
"""The items of each response. r1 and r2 are in the conversation, and `branch` continues r1."""
READ = {"r1": {"a", "b"}, "r2": {"a", "b", "r1_in", "r1_out", "c"}, "branch": set[str]()}
"""The items of the conversation that each response has read."""
EVERYTHING = {"a", "b", "c"}.union(*OWN.values())
STEPS = ("conversation", "r1", "r2", "branch", "item a", "item r1_out")


async def tell(store: Store, name: str) -> None:
    """Store a conversation with two responses and a third one that continues the first."""
    await converse(store, f"{name}_conv", f"{name}_a", f"{name}_b")
    await begin_in(store, f"{name}_conv", f"{name}_r1", f"{name}_r1_in")
    await store.pending.finish(ME, finished(f"{name}_r1", f"{name}_r1_out"))
    await store.conversations.add_items(ME, f"{name}_conv", [item(f"{name}_c")], [f"{name}_c"])
    await begin_in(store, f"{name}_conv", f"{name}_r2", f"{name}_r2_in")
    await store.pending.finish(ME, finished(f"{name}_r2", f"{name}_r2_out"))
    await respond(
        store, f"{name}_branch", [f"{name}_branch_in"], [f"{name}_branch_out"], previous=f"{name}_r1"
    )


async def delete(store: Store, name: str, step: str) -> None:
    if step == "conversation":
        assert await store.conversations.delete(ME, f"{name}_conv")
    elif step.startswith("item "):
        await store.conversations.delete_item(ME, f"{name}_conv", f"{name}_{step[5:]}")
    else:
        assert await store.responses.delete(ME, f"{name}_{step}")


def needed(deleted: Iterable[str]) -> set[str]:
    """Return the items that something visible refers to, after deletions in this order."""
    gone: set[str] = set()
    unlinked: set[str] = set()
    for step in deleted:
        if step.startswith("item ") and "conversation" not in gone:
            unlinked.add(step[5:])
        gone.add(step)
    left = {name for name in OWN if name not in gone}
    items = set[str]().union(*(OWN[name] | (READ[name] - unlinked) for name in left))
    if "conversation" not in gone:
        items |= EVERYTHING - OWN["branch"] - unlinked
    return items


@pytest.mark.parametrize("first", STEPS)
def test_in_every_order_of_deletions_exactly_what_is_needed_remains(
    store: Store, url: str, run: Run, first: str
) -> None:
    async def scenario() -> None:
        rest = [step for step in STEPS if step != first]
        # PostgreSQL takes ten times as long as SQLite.
        orders = some_of(list(permutations(rest)), 12 if url.startswith("postgresql") else 4)
        for number, order in enumerate(orders):
            name = f"n{number}"
            await tell(store, name)
            done: list[str] = []
            for step in (first, *order):
                if step.startswith("item ") and "conversation" in done:
                    with pytest.raises(ObjectNotFound):
                        await delete(store, name, step)
                    continue
                await delete(store, name, step)
                done.append(step)
                found = await store.items.find(ME, [f"{name}_{each}" for each in EVERYTHING])
                assert set(found) == {f"{name}_{each}" for each in needed(done)}, done

    run(scenario())
    assert {name: count_rows(url)[name] for name in TABLES} == dict.fromkeys(TABLES, 0)


def test_a_continued_response_keeps_its_own_items_when_the_others_go(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await tell(store, "x")
        await delete(store, "x", "conversation")
        await delete(store, "x", "r2")
        history = await store.responses.history(ME, "x_branch")
        assert len(history.bodies) == 6  # a, b, and the items of r1 and of the branch.
        await delete(store, "x", "r1")
        with pytest.raises(PreviousResponseNotFound, match="'x_r1'"):
            await store.responses.history(ME, "x_branch")
        kept = await store.items.find(ME, [f"x_{each}" for each in EVERYTHING])
        assert set(kept) == {"x_branch_in", "x_branch_out"}

    run(scenario())


def test_a_running_response_keeps_its_deleted_conversation(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv", "a")
        await begin_in(store, "conv", "resp", "b")
        await store.conversations.delete(ME, "conv")
        await store.deletions.remove_all()
        assert count_rows(url)["deletions"] == 1
        await store.pending.finish(ME, finished("resp", "c"))
        history = await store.responses.history(ME, "resp")
        assert len(history.bodies) == 3
        await store.deletions.remove_all()
        assert len((await store.responses.history(ME, "resp")).bodies) == 3
        await store.responses.delete(ME, "resp")
        await store.deletions.remove_all()

    run(scenario())
    assert {name: count_rows(url)[name] for name in TABLES} == dict.fromkeys(TABLES, 0)


def test_a_response_in_memory_finds_its_deleted_conversation(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv", "a")
        await store.conversations.lock(ME, "conv", "resp")
        await store.conversations.delete(ME, "conv")
        await store.deletions.remove_all()
        held = msgspec.structs.replace(
            new_response("resp", "b"), conversation_id="conv", conversation_position=1
        )
        store.pending.begin_later(ME, held, 10.0)
        await store.pending.finish(ME, finished("resp", "c"))
        assert len((await store.responses.history(ME, "resp")).bodies) == 3
        await store.responses.delete(ME, "resp")
        await store.deletions.remove_all()

    run(scenario())
    assert {name: count_rows(url)[name] for name in TABLES} == dict.fromkeys(TABLES, 0)


async def many(store: Store) -> None:
    """Store a conversation and a response with ten items each."""
    await converse(store, "conv", *(f"c{number}" for number in range(10)))
    await respond(store, "resp", [f"in{number}" for number in range(7)], ["out0", "out1", "out2"])


def test_a_large_object_is_hidden_at_once_and_removed_in_slices(
    store: Store, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_SLICE", 3)

    async def scenario() -> None:
        await many(store)
        assert await store.responses.delete(ME, "resp")
        assert await store.conversations.delete(ME, "conv")
        assert not await store.responses.delete(ME, "resp")
        assert await store.responses.get(ME, "resp") is None
        assert await store.responses.input_items(ME, "resp", PageQuery()) is None
        assert (await store.responses.list(ME, PageQuery())).responses == []
        with pytest.raises(PreviousResponseNotFound):
            await store.responses.history(ME, "resp")
        with pytest.raises(ObjectNotFound):
            await seen_in(store, "conv")
        assert count_rows(url)["items"] == 14  # One slice of each went with the request.
        await store.deletions.remove_all()

    run(scenario())
    assert {name: count_rows(url)[name] for name in TABLES} == dict.fromkeys(TABLES, 0)


def test_a_deletion_that_broke_off_goes_on_at_the_next_server(
    open_store: OpenStore, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_SLICE", 3)

    async def begin(store: Store) -> None:
        await many(store)
        await store.responses.delete(ME, "resp")
        await store.conversations.delete(ME, "conv")

    async def go_on(store: Store) -> None:
        await store.deletions.wait(0.0)
        await store.deletions.remove_all()

    run(begin(open_store()))
    # The first store isn't closed before the second one opens, as in a crash.
    run(go_on(open_store()))
    assert {name: count_rows(url)[name] for name in TABLES} == dict.fromkeys(TABLES, 0)


def in_another_server(url: str, write: Callable[[Connection], object], meanwhile: Connection) -> Thread:
    """Begin a write of another server, and return once it is over or waits for a lock of `meanwhile`."""
    engine = open_engine(url).writing

    def run() -> None:
        with engine.begin() as connection:
            write(connection)
        engine.dispose()

    thread = Thread(target=run)
    thread.start()
    waiting = text("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
    while thread.is_alive() and not meanwhile.execute(waiting).scalar_one():
        pass
    return thread


def test_two_servers_that_remove_the_last_links_of_an_item_remove_the_item(
    postgresql_tables: str, run: Run
) -> None:
    """SQLite has one writer at a time."""
    empty_tables(postgresql_tables)

    async def scenario() -> None:
        store = await Store.open(postgresql_tables)
        await converse(store, "conv_1", "a", "b")
        await converse(store, "conv_2")
        await store.conversations.add_items(ME, "conv_2", [], ["b", "a"])
        engine = open_engine(postgresql_tables).writing
        with engine.begin() as connection:
            delete_conversation(connection, ME, "conv_1", 1.0)
            other = in_another_server(
                postgresql_tables, lambda c: delete_conversation(c, ME, "conv_2", 1.0), connection
            )
        other.join()
        engine.dispose()
        assert await store.items.find(ME, ["a", "b"]) == {}
        await store.close()

    run(scenario())


def test_an_item_that_another_server_is_about_to_link_to_remains(postgresql_tables: str, run: Run) -> None:
    empty_tables(postgresql_tables)

    async def scenario() -> None:
        store = await Store.open(postgresql_tables)
        await converse(store, "conv_1", "a")
        await converse(store, "conv_2")
        engine = open_engine(postgresql_tables).writing
        with engine.begin() as connection:
            add_items(connection, ME, "conv_2", [], ["a"])
            other = in_another_server(
                postgresql_tables, lambda c: delete_conversation(c, ME, "conv_1", 1.0), connection
            )
        other.join()
        engine.dispose()
        assert await seen_in(store, "conv_2") == ["a"]
        await store.close()

    run(scenario())
