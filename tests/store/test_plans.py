"""No operation of the store walks a table that grows, and lists need no sorting."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, inspect

from antiphon.store import Store
from antiphon.store.log.rows import LogQuery
from antiphon.store.retention.expired import EXPIRIES
from antiphon.store.tables import metadata
from antiphon.wire.lists import PageQuery
from tests.store.conftest import Run
from tests.store.file_samples import attach, file, vector_store
from tests.store.samples import ME, begin_in, converse, finished, item, respond

SMALL = {"servers"}
"""Tables that are read as a whole."""
PARTIAL = {"vector_store_files_being_read", "responses_running"}
"""Indexes that are read as a whole: they have only what is in progress."""
NEXT = PageQuery(after="resp_1")


Given = tuple[object, ...] | dict[str, object]


@dataclass
class Statement:
    """A statement with its parameters, as the driver gets them."""

    text: str
    given: Given


@contextmanager
def watched() -> Iterator[list[Statement]]:
    """Yield the list that all statements are added to."""
    seen: list[Statement] = []

    def note(_connection: object, _cursor: object, text: str, given: Given | list[Given], *_: object) -> None:
        seen.extend(Statement(text, each) for each in (given if isinstance(given, list) else [given]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def everything(store: Store) -> None:
    """Call the operations of the store."""
    await respond(store, "resp_1", ["a"], ["b"])
    await respond(store, "resp_2", ["c"], ["d"], previous="resp_1")
    await converse(store, "conv_1", "e", "f")
    await begin_in(store, "conv_1", "resp_3", "g")
    await store.pending.finish(ME, finished("resp_3", "h"))
    await store.conversations.add_items(ME, "conv_1", [item("i")], ["i"])
    for query in (PageQuery(), NEXT):
        await store.responses.list(ME, query)
        await store.responses.list(ME, query, model="m")
    await store.responses.input_items(ME, "resp_1", PageQuery())
    await store.responses.history(ME, "resp_2")
    await store.conversations.list_items(ME, "conv_1", PageQuery())
    await store.conversations.get_item(ME, "conv_1", "e")
    await store.conversations.delete_item(ME, "conv_1", "e")
    await store.conversations.delete(ME, "conv_1")
    for response_id in ("resp_1", "resp_3"):
        await store.responses.delete(ME, response_id)
    await expire(store)
    await store.servers.recover(10.0)
    await store.idempotency.claim(ME, "key")
    await store.idempotency.keep(ME, "key", b"answer")
    await store.idempotency.delete_expired()
    await store.deletions.remove_all()
    await files_and_vector_stores(store)


async def expire(store: Store) -> None:
    await respond(store, "resp_4", [], [])
    await store.files.add(ME, file("file_4"))
    await converse(store, "conv_2")
    for kind in EXPIRIES:
        async for _ in store.expiry.remove(kind, -1.0):
            pass


async def files_and_vector_stores(store: Store) -> None:
    (attached, *_) = await attach(store, "vs_1", "file_1", "file_2", batch="batch_1")
    await store.vector_stores.create(ME, vector_store("vs_2", days=1))
    await store.files.add(ME, file("file_3", lasts=5.0))
    await store.attachments.finish(attached, 5)
    for purpose in (None, "assistants"):
        await store.files.page(ME, PageQuery(), purpose=purpose)
    await store.vector_stores.page(ME, PageQuery())
    await store.vector_stores.get(ME, "vs_1")
    await store.attachments.page("vs_1", PageQuery())
    await store.attachments.page("vs_1", PageQuery(), status="completed")
    await store.attachments.page("vs_1", PageQuery(), batch_id="batch_1")
    await store.attachments.named(["vs_1"])
    await store.attachments.get_batch("vs_1", "batch_1")
    await store.attachments.cancel_batch("vs_1", "batch_1")
    await store.attachments.detach("vs_1", "file_1")
    await store.vector_stores.empty_expired()
    await store.files.delete_expired()
    await store.files.delete(ME, "file_1")
    await store.vector_stores.delete(ME, "vs_1")
    await store.deletions.remove_all()


def explained(connection: Connection, statement: Statement, prefix: str) -> list[str]:
    rows = connection.exec_driver_sql(f"{prefix} {statement.text}", statement.given)
    return [str(row[-1]) for row in rows]


def test_sqlite_walks_no_table_that_grows(tmp_path: Path, run: Run) -> None:
    async def scenario() -> dict[str, list[str]]:
        store = await Store.open(f"sqlite:///{tmp_path}/plans.db")
        with watched() as seen:
            await everything(store)
        plans: dict[str, list[str]] = {}
        for statement in seen:
            if statement.text.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                plans[statement.text] = await store._database.read(
                    lambda c, s=statement: explained(c, s, "EXPLAIN QUERY PLAN")  # type: ignore[misc]
                )
        await store.close()
        return plans

    plans = run(scenario())
    assert len(plans) > 60
    for statement, plan in plans.items():
        for line in plan:
            if line.startswith("SCAN"):
                name, _, index = line.removeprefix("SCAN ").partition(" USING INDEX ")
                assert name not in metadata.tables or name in SMALL or index in PARTIAL, (statement, plan)


LISTS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "responses_by_time": lambda store: store.responses.list(ME, PageQuery()),
    "responses_by_model": lambda store: store.responses.list(ME, PageQuery(), model="rare"),
    "responses_failed": lambda store: store.log.page(LogQuery(owner=ME, errors=True)),
    "files_by_time": lambda store: store.files.page(ME, PageQuery()),
    "files_by_purpose": lambda store: store.files.page(ME, PageQuery(), purpose="batch"),
    "files_by_deadline": lambda store: store.files.delete_expired(),
    "vector_stores_by_use": lambda store: store.vector_stores.empty_expired(),
    "vector_store_files_by_time": lambda store: store.attachments.page("vs_1", PageQuery()),
    "vector_store_files_by_status": lambda store: store.attachments.page(
        "vs_1", PageQuery(), status="failed"
    ),
}
"""Operations by the index that they use."""


@pytest.mark.parametrize("index", LISTS)
def test_a_list_is_read_from_its_index(tmp_path: Path, run: Run, index: str) -> None:
    async def scenario() -> list[str]:
        store = await Store.open(f"sqlite:///{tmp_path}/plans.db")
        with watched() as seen:
            await LISTS[index](store)
        statement = next(each for each in seen if each.text.startswith(("SELECT", "UPDATE")))
        plan = await store._database.read(lambda c: explained(c, statement, "EXPLAIN QUERY PLAN"))
        await store.close()
        return plan

    lines = run(scenario())
    assert any(index in line for line in lines), lines
    assert not any("TEMP B-TREE" in line for line in lines), lines


def test_both_databases_have_these_indexes(store: Store, run: Run) -> None:
    def names(connection: Connection) -> set[str | None]:
        inspector = inspect(connection)
        return {each["name"] for table in metadata.tables for each in inspector.get_indexes(table)}

    assert run(store._database.read(names)) >= {*LISTS, *PARTIAL, "responses_of_conversations"}
