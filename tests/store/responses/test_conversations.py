"""Conversations and their items."""

import asyncio

import pytest

from antiphon.store import Store
from antiphon.store.errors import (
    CursorNotFound,
    DuplicateItem,
    ItemAlreadyInConversation,
    ItemNotFound,
    ObjectNotFound,
)
from antiphon.store.responses.rows import ItemPage, NewConversation, StoredConversation, StoredItem
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, body, converse, item, respond, seen_in


def test_a_conversation_comes_back_as_it_was_made(store: Store, run: Run) -> None:
    new = NewConversation(id="conv_1", created_at=5.0, metadata='{"a":"b"}', items=[], item_ids=[])
    run(store.conversations.create(ME, new))
    assert run(store.conversations.get(ME, "conv_1")) == StoredConversation("conv_1", 5.0, '{"a":"b"}')
    assert run(store.conversations.list_items(ME, "conv_1", PageQuery())) == ItemPage([], has_more=False)
    assert run(store.conversations.get(ME, "conv_2")) is None


def test_metadata_is_replaced(store: Store, run: Run) -> None:
    run(converse(store, "conv_1"))
    changed = run(store.conversations.update(ME, "conv_1", '{"c":"d"}'))
    assert changed.metadata == '{"c":"d"}'
    assert run(store.conversations.get(ME, "conv_1")) == changed


def test_a_stored_item_is_taken_once_even_if_named_twice(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["old"], [])
        await store.conversations.create(
            ME,
            NewConversation(
                id="conv_1",
                created_at=1.0,
                metadata="{}",
                items=[item("new")],
                item_ids=["old", "new", "old"],
            ),
        )
        assert await seen_in(store, "conv_1") == ["old", "new"]

    run(scenario())


def test_added_items_keep_their_order(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "b")
        await respond(store, "resp_1", ["stored"], [])
        await store.conversations.add_items(ME, "conv_1", [item("z"), item("a")], ["z", "stored", "a"])
        assert await seen_in(store, "conv_1") == ["b", "z", "stored", "a"]

    run(scenario())


@pytest.mark.parametrize(
    ("new", "ids", "error"),
    [
        (["x"], ["x", "there"], ItemAlreadyInConversation),
        (["x"], ["x", "x"], ItemAlreadyInConversation),
        (["x"], ["x", "unknown"], ItemNotFound),
        (["x", "there"], ["x", "there"], ItemAlreadyInConversation),
        (["x", "there*"], ["x", "there"], DuplicateItem),
        (["x", "stored*"], ["x", "stored"], DuplicateItem),
    ],
)
def test_all_items_are_added_or_none(
    store: Store, run: Run, new: list[str], ids: list[str], error: type[Exception]
) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "there")
        await respond(store, "resp_1", ["stored"], [])
        with pytest.raises(error):
            await store.conversations.add_items(ME, "conv_1", [item(name) for name in new], ids)
        assert await seen_in(store, "conv_1") == ["there"]
        assert await store.items.find(ME, ["x"]) == {}

    run(scenario())


def test_items_in_pages(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "c", "a", "b")
        await converse(store, "conv_2", "elsewhere")
        first = await store.conversations.list_items(ME, "conv_1", PageQuery(limit=2))
        assert first == ItemPage([StoredItem("b", body("b")), StoredItem("a", body("a"))], has_more=True)
        second = await store.conversations.list_items(ME, "conv_1", PageQuery(limit=2, after="a"))
        assert second == ItemPage([StoredItem("c", body("c"))], has_more=False)
        upwards = await store.conversations.list_items(ME, "conv_1", PageQuery(order="asc", after="c"))
        assert [found.id for found in upwards.items] == ["a", "b"]
        with pytest.raises(CursorNotFound, match="No item found with id 'elsewhere'"):
            await store.conversations.list_items(ME, "conv_1", PageQuery(after="elsewhere"))
        await store.conversations.delete_item(ME, "conv_1", "a")
        with pytest.raises(CursorNotFound, match="'a'"):
            await store.conversations.list_items(ME, "conv_1", PageQuery(after="a"))

    run(scenario())


def test_one_item(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a", "b")
        await converse(store, "conv_2", "c")
        assert await store.conversations.get_item(ME, "conv_1", "a") == body("a")
        assert await store.conversations.get_item(ME, "conv_1", "c") is None
        assert await store.conversations.delete_item(ME, "conv_1", "a")
        assert not await store.conversations.delete_item(ME, "conv_1", "a")
        assert not await store.conversations.delete_item(ME, "conv_1", "c")
        assert await seen_in(store, "conv_1") == ["b"]

    run(scenario())


def test_a_deleted_item_stays_while_something_links_to_it(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["answered"], [])
        await converse(store, "conv_1", "alone")
        await store.conversations.add_items(ME, "conv_1", [], ["answered"])
        await store.conversations.delete_item(ME, "conv_1", "alone")
        await store.conversations.delete_item(ME, "conv_1", "answered")
        assert await store.items.find(ME, ["alone", "answered"]) == {"answered": body("answered")}

    run(scenario())


def test_a_deleted_conversation_is_gone_with_its_items(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a")
        assert await store.conversations.delete(ME, "conv_1")
        assert not await store.conversations.delete(ME, "conv_1")
        assert await store.conversations.get(ME, "conv_1") is None
        with pytest.raises(ObjectNotFound, match="Conversation"):
            await store.conversations.list_items(ME, "conv_1", PageQuery())
        with pytest.raises(ObjectNotFound, match="Conversation"):
            await store.conversations.lock(ME, "conv_1", "resp_1")
        assert await store.items.find(ME, ["a"]) == {}

    run(scenario())


def test_D9_a_hundred_writers_give_one_order(open_store: OpenStore, run: Run) -> None:
    stores = [open_store(), open_store()]

    async def add(number: int) -> None:
        pair = [item(f"{number}_first"), item(f"{number}_second")]
        await stores[number % 2].conversations.add_items(ME, "conv_1", pair, [new.id for new in pair])

    async def scenario() -> None:
        await converse(stores[0], "conv_1")
        await asyncio.gather(*[add(number) for number in range(100)])
        order = await seen_in(stores[0], "conv_1")
        assert sorted(order) == sorted(f"{n}_{part}" for n in range(100) for part in ("first", "second"))
        # Items that were added together stay together, and both stores return the same order.
        assert order[1::2] == [name.replace("first", "second") for name in order[::2]]
        assert await seen_in(stores[1], "conv_1") == order

    run(scenario())
