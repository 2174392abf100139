import asyncio

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.errors import CursorNotFound, DuplicateItem, ItemNotFound
from antiphon.store.rows import ItemPage, NewResponse, StoredItem
from antiphon.wire.lists import PageQuery
from tests.store.conftest import Run
from tests.store.samples import (
    ME,
    bodies,
    body,
    converse,
    count_rows,
    finished,
    item,
    new_response,
    respond,
)


def ids_of(page: ItemPage | None) -> list[str]:
    assert page is not None
    return [found.id for found in page.items]


def test_a_response_in_progress_is_there_without_output(store: Store, run: Run) -> None:
    async def begin() -> None:
        await store.pending.begin(ME, new_response("resp_1", "msg_1", at=12.5))

    run(begin())
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert (found.status, found.output, found.created_at, found.completed_at) == (
        "in_progress",
        [],
        12.5,
        None,
    )
    assert msgspec.json.decode(found.body) == {"id": "resp_1", "status": "in_progress"}


def test_all_of_a_response_is_there_as_soon_as_it_has_begun(store: Store, run: Run) -> None:
    """Nobody waits for its first write, but whoever asks for the response does."""

    async def scenario() -> tuple[bool, list[str], bool]:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        found = await store.responses.get(ME, "resp_1")
        store.pending.begin(ME, new_response("resp_2", "msg_2"))
        page = await store.responses.input_items(ME, "resp_2", PageQuery())
        store.pending.begin(ME, new_response("resp_3", "msg_3"))
        return found is not None, ids_of(page), await store.responses.delete(ME, "resp_3")

    assert run(scenario()) == (True, ["msg_2"], True)


def test_a_finished_response_has_its_output_in_order(store: Store, run: Run) -> None:
    run(respond(store, "resp_1", ["msg_1"], ["z", "a", "m"]))
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert (found.status, found.completed_at, found.model) == ("completed", 2.0, "m")
    assert found.output == bodies("z", "a", "m")
    assert msgspec.json.decode(found.body) == {"id": "resp_1", "status": "completed"}


def test_begin_and_finish_need_no_waiting(store: Store, run: Run) -> None:
    async def hand_over() -> None:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        store.pending.finish(ME, finished("resp_1", "msg_2"))

    run(hand_over())
    run(store.servers.heartbeat())  # a later write: the earlier ones are committed after it
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert found.output == bodies("msg_2")


def test_a_cancelled_task_has_handed_its_response_over(store: Store, run: Run) -> None:
    async def stream() -> None:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            store.pending.finish(ME, finished("resp_1", status="cancelled"))

    async def cancel() -> None:
        task = asyncio.create_task(stream())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.servers.heartbeat()

    run(cancel())
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert found.status == "cancelled"


def test_what_begin_failed_with_finish_fails_with(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["msg_1"], [])
        begun = store.pending.begin(ME, new_response("resp_2", "msg_1*"))
        ended = store.pending.finish(ME, finished("resp_2", "msg_2"))
        with pytest.raises(DuplicateItem) as at_end:
            await ended
        with pytest.raises(DuplicateItem) as at_begin:
            await begun
        assert at_end.value is at_begin.value
        assert at_end.value.message.startswith("Duplicate item found with id msg_1.")

    run(scenario())
    assert run(store.responses.get(ME, "resp_2")) is None
    assert run(store.items.find(ME, ["msg_2"])) == {}


def test_begin_that_failed_long_before_finish(store: Store, run: Run) -> None:
    async def scenario() -> None:
        store.pending.begin(ME, new_response("resp_1", "same", "same*"))
        await store.servers.heartbeat()
        with pytest.raises(DuplicateItem, match="same"):
            await store.pending.finish(ME, finished("resp_1"))

    run(scenario())


def test_an_output_item_with_a_stored_id_is_refused(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.pending.begin(ME, new_response("resp_1", "msg_1"))
        with pytest.raises(DuplicateItem, match="msg_1"):
            await store.pending.finish(ME, finished("resp_1", "msg_0", "msg_1*"))

    run(scenario())
    assert run(store.items.find(ME, ["msg_0"])) == {}


def test_an_item_that_many_send_at_once_is_stored_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        sent = [store.pending.begin(ME, new_response(f"resp_{n}", "msg_1")) for n in range(8)]
        await asyncio.gather(*sent)
        for number in range(8):
            page = await store.responses.input_items(ME, f"resp_{number}", PageQuery())
            assert page is not None
            assert [found.id for found in page.items] == ["msg_1"]

    run(scenario())


def test_a_response_is_there_as_soon_as_its_id_is_known(store: Store, run: Run) -> None:
    async def scenario() -> None:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        found = await store.responses.get(ME, "resp_1")
        assert found is not None
        assert found.status == "in_progress"

    run(scenario())


def test_stored_items_are_linked_where_they_stand(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["a"], ["b"])
        mixed = msgspec.structs.replace(new_response("resp_2", "new"), input_ids=["b", "new", "a", "b"])
        await store.pending.begin(ME, mixed)
        page = await store.responses.input_items(ME, "resp_2", PageQuery(order="asc"))
        assert ids_of(page) == ["b", "new", "a", "b"]

    run(scenario())


def test_an_input_id_that_is_not_stored_is_refused(store: Store, run: Run) -> None:
    async def begin(new: NewResponse) -> None:
        await store.pending.begin(ME, new)

    unknown = msgspec.structs.replace(new_response("resp_1", "new"), input_ids=["new", "rs_gone"])
    with pytest.raises(ItemNotFound, match="'rs_gone' not found"):
        run(begin(unknown))
    assert run(store.items.find(ME, ["new"])) == {}


def test_a_response_deleted_while_it_ran_leaves_nothing(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        await store.pending.begin(ME, new_response("resp_1", "msg_1"))
        assert await store.responses.delete(ME, "resp_1")
        await store.pending.finish(ME, finished("resp_1", "msg_2"))

    run(scenario())
    counts = count_rows(url)
    assert (counts["responses"], counts["items"], counts["response_items"]) == (0, 0, 0)


def test_deleting_keeps_what_others_link_to(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["alone", "answered", "talked"], ["output"])
        again = msgspec.structs.replace(new_response("resp_2"), input_ids=["answered"])
        await store.pending.begin(ME, again)
        await converse(store, "conv_1")
        await store.conversations.add_items(ME, "conv_1", [], ["talked"])
        assert await store.responses.delete(ME, "resp_1")
        assert not await store.responses.delete(ME, "resp_1")
        left = await store.items.find(ME, ["alone", "answered", "talked", "output"])
        assert left == {"answered": body("answered"), "talked": body("talked")}
        assert await store.responses.delete(ME, "resp_2")
        assert await store.items.find(ME, ["answered"]) == {}

    run(scenario())


def test_another_owners_link_keeps_no_item(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["same"], [])
        await store.pending.begin("somebody", new_response("resp_2", "same"))
        assert await store.responses.delete(ME, "resp_1")
        assert await store.items.find(ME, ["same"]) == {}
        assert await store.items.find("somebody", ["same"]) == {"same": body("same")}

    run(scenario())


def test_input_items_in_pages(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_1", ["c", "a", "b"], ["output"])
        first = await store.responses.input_items(ME, "resp_1", PageQuery(limit=2))
        assert first == ItemPage([StoredItem("b", body("b")), StoredItem("a", body("a"))], has_more=True)
        second = await store.responses.input_items(ME, "resp_1", PageQuery(limit=2, after="a"))
        assert second == ItemPage([StoredItem("c", body("c"))], has_more=False)
        upwards = await store.responses.input_items(ME, "resp_1", PageQuery(order="asc", after="c"))
        assert ids_of(upwards) == ["a", "b"]
        with pytest.raises(CursorNotFound, match="No item found with id 'output'"):
            await store.responses.input_items(ME, "resp_1", PageQuery(after="output"))

    run(scenario())


def test_responses_in_pages(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number, at in enumerate([3.0, 1.0, 2.0, 2.0]):
            new = new_response(f"resp_{number}", at=at)
            await store.pending.begin(ME, msgspec.structs.replace(new, model=f"m{number % 2}"))
        await store.pending.finish(ME, finished("resp_3", "x", "y"))
        first = await store.responses.list(ME, PageQuery(limit=2))
        assert [found.id for found in first.responses] == ["resp_0", "resp_3"]
        assert [found.output for found in first.responses] == [[], bodies("x", "y")]
        assert first.has_more
        rest = await store.responses.list(ME, PageQuery(limit=2, after="resp_3"))
        assert [found.id for found in rest.responses] == ["resp_2", "resp_1"]
        assert not rest.has_more
        upwards = await store.responses.list(ME, PageQuery(order="asc", after="resp_2"))
        assert [found.id for found in upwards.responses] == ["resp_3", "resp_0"]
        of_model = await store.responses.list(ME, PageQuery(), model="m1")
        assert [found.id for found in of_model.responses] == ["resp_3", "resp_1"]
        with pytest.raises(CursorNotFound):
            await store.responses.list(ME, PageQuery(after="resp_9"))

    run(scenario())


def test_empty_pages(store: Store, run: Run) -> None:
    run(respond(store, "resp_1", [], []))
    assert run(store.responses.input_items(ME, "resp_1", PageQuery())) == ItemPage([], has_more=False)
    assert run(store.responses.list("nobody", PageQuery())).responses == []


def test_many_responses_at_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        turns = [respond(store, f"resp_{n}", [f"in_{n}"], [f"out_{n}", f"more_{n}"]) for n in range(300)]
        await asyncio.gather(*turns)
        for number in range(300):
            found = await store.responses.get(ME, f"resp_{number}")
            assert found is not None
            assert found.output == bodies(f"out_{number}", f"more_{number}")

    run(scenario())


def test_text_of_any_kind(store: Store, run: Run) -> None:
    async def scenario() -> None:
        text = msgspec.json.encode({"text": "\0 ' \" \\ 日本 😀"}).decode()
        odd = msgspec.structs.replace(item("msg_1"), body=text)
        await store.pending.begin(
            ME, msgspec.structs.replace(new_response("resp_1", "msg_1"), input_new=[odd])
        )
        assert await store.items.find(ME, ["msg_1"]) == {"msg_1": text}

    run(scenario())


def test_an_input_may_have_more_items_than_a_statement_has_parameters(store: Store, run: Run) -> None:
    ids = [f"msg_{number}" for number in range(70_000)]

    async def scenario() -> None:
        store.pending.begin_later(ME, new_response("resp_1", *ids), 60)
        await store.pending.finish(ME, finished("resp_1", "out_1"))
        assert len(await store.items.find(ME, ids)) == len(ids)
        assert await store.responses.delete(ME, "resp_1")
        assert await store.items.find(ME, ids) == {}

    run(scenario())
