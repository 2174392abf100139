"""No method returns or changes the objects of another owner."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.errors import (
    CursorNotFound,
    ItemNotFound,
    ObjectNotFound,
    PreviousResponseNotFound,
)
from antiphon.store.responses.rows import ItemPage, NewItem, StoredItem
from antiphon.wire.lists import PageQuery
from tests.store.conftest import Run
from tests.store.samples import ME, bodies, body, converse, finished, item, new_response, respond, seen_in

Call = Callable[[Store], Awaitable[object]]

FINDS_NOTHING: dict[str, tuple[Call, object]] = {
    "get_response": (lambda store: store.responses.get("thief", "resp_1"), None),
    "delete_response": (lambda store: store.responses.delete("thief", "resp_1"), False),
    "response_input_items": (lambda store: store.responses.input_items("thief", "resp_1", PageQuery()), None),
    "find_items": (lambda store: store.items.find("thief", ["in", "out", "kept"]), {}),
    "get_conversation": (lambda store: store.conversations.get("thief", "conv_1"), None),
    "delete_conversation": (lambda store: store.conversations.delete("thief", "conv_1"), False),
}

RAISES: dict[str, tuple[Call, type[Exception]]] = {
    "list_responses": (
        lambda store: store.responses.list("thief", PageQuery(after="resp_1")),
        CursorNotFound,
    ),
    "response_history": (lambda store: store.responses.history("thief", "resp_1"), PreviousResponseNotFound),
    "begin_response": (
        lambda store: store.pending.begin("thief", new_response("resp_2", references=["in"])),
        ItemNotFound,
    ),
    "update_conversation": (
        lambda store: store.conversations.update("thief", "conv_1", '{"a":"b"}'),
        ObjectNotFound,
    ),
    "add_items": (
        lambda store: store.conversations.add_items("thief", "conv_1", [item("x")], ["x"]),
        ObjectNotFound,
    ),
    "list_items": (
        lambda store: store.conversations.list_items("thief", "conv_1", PageQuery()),
        ObjectNotFound,
    ),
    "get_item": (lambda store: store.conversations.get_item("thief", "conv_1", "kept"), ObjectNotFound),
    "delete_item": (
        lambda store: store.conversations.delete_item("thief", "conv_1", "kept"),
        ObjectNotFound,
    ),
    "conversation_items": (
        lambda store: store.conversations.context("thief", "conv_1"),
        ObjectNotFound,
    ),
    "lock_conversation": (
        lambda store: store.conversations.lock("thief", "conv_1", "resp_2"),
        ObjectNotFound,
    ),
}


async def keep_something(store: Store) -> None:
    await respond(store, "resp_1", ["in"], ["out"])
    await converse(store, "conv_1", "kept")


async def nothing_was_lost(store: Store) -> None:
    assert await store.responses.get(ME, "resp_1") is not None
    assert (await store.responses.history(ME, "resp_1")).bodies == bodies("in", "out")
    conversation = await store.conversations.get(ME, "conv_1")
    assert conversation is not None
    assert conversation.metadata == "{}"
    assert await seen_in(store, "conv_1") == ["kept"]
    await store.conversations.lock(ME, "conv_1", "resp_3")


@pytest.mark.parametrize("method", FINDS_NOTHING)
def test_nothing_is_found(store: Store, run: Run, method: str) -> None:
    call, expected = FINDS_NOTHING[method]

    async def scenario() -> None:
        await keep_something(store)
        assert await call(store) == expected
        await nothing_was_lost(store)

    run(scenario())


@pytest.mark.parametrize("method", RAISES)
def test_it_is_missing(store: Store, run: Run, method: str) -> None:
    call, error = RAISES[method]

    async def scenario() -> None:
        await keep_something(store)
        with pytest.raises(error):
            await call(store)
        await nothing_was_lost(store)

    run(scenario())


def test_lists_hold_ones_own(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await keep_something(store)
        assert (await store.responses.list("thief", PageQuery())).responses == []
        assert [found.id for found in (await store.responses.list(ME, PageQuery())).responses] == ["resp_1"]

    run(scenario())


def test_a_response_is_finished_by_its_owner_alone(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.pending.begin(ME, new_response("resp_1", "in"))
        await store.pending.finish("thief", finished("resp_1", "forged"))
        found = await store.responses.get(ME, "resp_1")
        assert found is not None
        assert (found.status, found.output) == ("in_progress", [])
        assert await store.items.find("thief", ["forged"]) == {}

    run(scenario())


def test_two_owners_may_have_items_of_the_same_id(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["same"], [])
        theirs = NewItem("same", "message", '{"text":"theirs"}')
        await store.pending.begin(
            "somebody", msgspec.structs.replace(new_response("resp_2", "same"), input_new=[theirs])
        )
        assert await store.items.find(ME, ["same"]) == {"same": body("same")}
        assert await store.items.find("somebody", ["same"]) == {"same": theirs.body}
        page = await store.responses.input_items("somebody", "resp_2", PageQuery())
        assert page == ItemPage([StoredItem("same", theirs.body)], has_more=False)
        assert (await store.responses.history("somebody", "resp_2")).bodies == [theirs.body]

    run(scenario())
