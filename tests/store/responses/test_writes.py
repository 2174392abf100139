"""Writes that begin and finish responses."""

import asyncio

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.errors import DuplicateItem, ItemNotFound
from antiphon.store.responses.rows import NewResponse
from antiphon.wire.lists import PageQuery
from tests.store.conftest import Run
from tests.store.samples import (
    ME,
    Status,
    begin_in,
    bodies,
    converse,
    count_rows,
    finished,
    ids_of,
    new_response,
    respond,
    seen_in,
)


def test_a_finished_response_has_its_output_in_order(store: Store, run: Run) -> None:
    run(respond(store, "resp_1", ["msg_1"], ["z", "a", "m"]))
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert (found.status, found.completed_at, found.model) == ("completed", 2.0, "m")
    assert found.output == bodies("z", "a", "m")
    assert msgspec.json.decode(found.body) == {"id": "resp_1", "status": "completed"}


def test_stored_items_are_linked_where_they_stand(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["a"], ["b"])
        mixed = msgspec.structs.replace(new_response("resp_2", "new"), input_ids=["b", "new", "a", "b"])
        await store.pending.begin(ME, mixed)
        page = await store.responses.input_items(ME, "resp_2", PageQuery(order="asc"))
        assert ids_of(page) == ["b", "new", "a", "b"]

    run(scenario())


def test_an_output_item_with_a_stored_id_is_refused(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.pending.begin(ME, new_response("resp_1", "msg_1"))
        with pytest.raises(DuplicateItem, match="msg_1"):
            await store.pending.finish(ME, finished("resp_1", "msg_0", "msg_1*"))

    run(scenario())
    assert run(store.items.find(ME, ["msg_0"])) == {}


def test_an_input_id_that_is_not_stored_is_refused(store: Store, run: Run) -> None:
    async def begin(new: NewResponse) -> None:
        await store.pending.begin(ME, new)

    unknown = msgspec.structs.replace(new_response("resp_1", "new"), input_ids=["new", "rs_gone"])
    with pytest.raises(ItemNotFound, match="'rs_gone' not found"):
        run(begin(unknown))
    assert run(store.items.find(ME, ["new"])) == {}


def test_an_item_that_many_send_at_once_is_stored_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        sent = [store.pending.begin(ME, new_response(f"resp_{n}", "msg_1")) for n in range(8)]
        await asyncio.gather(*sent)
        for number in range(8):
            page = await store.responses.input_items(ME, f"resp_{number}", PageQuery())
            assert page is not None
            assert [found.id for found in page.items] == ["msg_1"]

    run(scenario())


def test_a_response_deleted_while_it_ran_leaves_nothing(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        await store.pending.begin(ME, new_response("resp_1", "msg_1"))
        assert await store.responses.delete(ME, "resp_1")
        await store.pending.finish(ME, finished("resp_1", "msg_2"))

    run(scenario())
    counts = count_rows(url)
    assert (counts["responses"], counts["items"], counts["response_items"]) == (0, 0, 0)


def test_many_responses_at_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        turns = [respond(store, f"resp_{n}", [f"in_{n}"], [f"out_{n}", f"more_{n}"]) for n in range(300)]
        await asyncio.gather(*turns)
        for number in range(300):
            found = await store.responses.get(ME, f"resp_{number}")
            assert found is not None
            assert found.output == bodies(f"out_{number}", f"more_{number}")

    run(scenario())


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_response_adds_its_input_and_output(store: Store, run: Run, status: Status) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a")
        await begin_in(store, "conv_1", "resp_1", "c", "b")
        assert await seen_in(store, "conv_1") == ["a"]
        await store.pending.finish(ME, finished("resp_1", "z", "y", status=status))
        assert await seen_in(store, "conv_1") == ["a", "c", "b", "z", "y"]
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_response_that_came_to_nothing_adds_nothing(store: Store, run: Run, status: Status) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a")
        await begin_in(store, "conv_1", "resp_1", "b")
        await store.pending.finish(ME, finished("resp_1", "c", status=status))
        assert await seen_in(store, "conv_1") == ["a"]
        found = await store.responses.get(ME, "resp_1")
        assert found is not None
        assert found.output == bodies("c")
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_an_input_item_of_the_conversation_keeps_its_place(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a", "b")
        # An `item_reference` to an item of the same conversation leads to this.
        await begin_in(store, "conv_1", "resp_1", "new", references=["a", "new"])
        await store.pending.finish(ME, finished("resp_1", "out"))
        assert await seen_in(store, "conv_1") == ["a", "b", "new", "out"]

    run(scenario())


def test_a_conversation_deleted_under_a_response(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await converse(store, "conv_1", "a")
        await begin_in(store, "conv_1", "resp_1", "b")
        await store.conversations.delete(ME, "conv_1")
        await store.pending.finish(ME, finished("resp_1", "c"))
        history = await store.responses.history(ME, "resp_1")
        assert history.bodies == bodies("a", "b", "c")

    run(scenario())
