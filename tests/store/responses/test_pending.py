"""Responses from their beginning until their end is stored."""

import asyncio

import msgspec
import pytest

from antiphon.store import Store, database
from antiphon.store.errors import DuplicateItem, ItemNotFound
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, bodies, converse, finished, ids_of, item, new_response, respond

LONG = 3600.0


def test_begin_and_finish_need_no_waiting(store: Store, run: Run) -> None:
    async def hand_over() -> None:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        store.pending.finish(ME, finished("resp_1", "msg_2"))

    run(hand_over())
    run(store.servers.heartbeat())  # Earlier writes are committed before it.
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert found.output == bodies("msg_2")


def test_all_of_a_response_is_there_as_soon_as_it_has_begun(store: Store, run: Run) -> None:
    """The request doesn't wait for the first write, but reads of the response do."""

    async def scenario() -> tuple[bool, list[str], bool]:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        found = await store.responses.get(ME, "resp_1")
        store.pending.begin(ME, new_response("resp_2", "msg_2"))
        page = await store.responses.input_items(ME, "resp_2", PageQuery())
        store.pending.begin(ME, new_response("resp_3", "msg_3"))
        return found is not None, ids_of(page), await store.responses.delete(ME, "resp_3")

    assert run(scenario()) == (True, ["msg_2"], True)


def test_a_response_is_there_as_soon_as_its_id_is_known(store: Store, run: Run) -> None:
    async def scenario() -> None:
        store.pending.begin(ME, new_response("resp_1", "msg_1"))
        found = await store.responses.get(ME, "resp_1")
        assert found is not None
        assert found.status == "in_progress"

    run(scenario())


def test_a_cancelled_task_still_stores_its_response(store: Store, run: Run) -> None:
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


async def respond_whole(store: Store, response_id: str, given: str, *output: str) -> None:
    store.pending.begin_later(ME, new_response(response_id, given), LONG)
    await store.pending.finish(ME, finished(response_id, *output))


def test_a_whole_response_is_as_one_in_two_writes(store: Store, run: Run) -> None:
    run(respond(store, "resp_1", ["msg_1"], ["msg_2", "msg_3"]))
    run(respond_whole(store, "resp_2", "msg_4", "msg_5", "msg_6"))
    one, two = run(store.responses.get(ME, "resp_1")), run(store.responses.get(ME, "resp_2"))
    assert one is not None
    assert two is not None
    assert two.output == bodies("msg_5", "msg_6")
    assert (two.status, two.completed_at, two.model) == (one.status, one.completed_at, one.model)
    page = run(store.responses.input_items(ME, "resp_2", PageQuery()))
    assert page is not None
    assert [found.body for found in page.items] == bodies("msg_4")


def test_many_at_once(store: Store, run: Run) -> None:
    async def all_of_them() -> None:
        writes = []
        for number in range(50):
            store.pending.begin_later(ME, new_response(f"resp_{number}", f"msg_{number}"), LONG)
            writes.append(store.pending.finish(ME, finished(f"resp_{number}", f"out_{number}")))
        for write in writes:
            await write

    run(all_of_them())
    for number in range(50):
        found = run(store.responses.get(ME, f"resp_{number}"))
        assert found is not None
        assert found.output == bodies(f"out_{number}")


def test_an_end_waits_only_for_responses_that_are_under_way(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_PATIENCE", LONG)

    async def both() -> None:
        for name in "12":
            store.pending.begin_later(ME, new_response(f"resp_{name}", f"msg_{name}"), LONG)
        first = store.pending.finish(ME, finished("resp_1", "out_1"))
        await store.items.find(ME, [])
        assert not first.done()
        await store.pending.finish(ME, finished("resp_2", "out_2"))
        assert first.done()

    run(both())


def test_nothing_is_there_before_the_end(store: Store, run: Run) -> None:
    async def begin() -> None:
        store.pending.begin_later(ME, new_response("resp_1", "msg_1"), LONG)

    run(begin())
    assert run(store.responses.list(ME, PageQuery())).responses == []


def test_who_knows_the_id_all_the_same_finds_it(store: Store, run: Run) -> None:
    async def begin() -> None:
        store.pending.begin_later(ME, new_response("resp_1", "msg_1"), LONG)

    run(begin())
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert found.status == "in_progress"

    async def end() -> None:
        await store.pending.finish(ME, finished("resp_1", "msg_2"))

    run(end())
    ended = run(store.responses.get(ME, "resp_1"))
    assert ended is not None
    assert (ended.status, ended.output) == ("completed", bodies("msg_2"))


def test_what_takes_long_is_in_progress_meanwhile(store: Store, run: Run) -> None:
    async def begin() -> None:
        store.pending.begin_later(ME, new_response("resp_1", "msg_1"), 0.0)
        while not (await store.responses.list(ME, PageQuery())).responses:
            pass
        await store.pending.finish(ME, finished("resp_1", "msg_2"))

    run(begin())
    found = run(store.responses.get(ME, "resp_1"))
    assert found is not None
    assert (found.status, found.output) == ("completed", bodies("msg_2"))


def test_what_runs_when_the_store_is_closed_is_not_lost(url: str, open_store: OpenStore, run: Run) -> None:
    async def begin() -> None:
        store = await Store.open(url, clock=lambda: 1000.0)
        store.pending.begin_later(ME, new_response("resp_1", "msg_1"), LONG)
        await store.close()

    another = open_store()
    run(begin())
    assert run(another.servers.recover(1.0)) == 1
    found = run(another.responses.get(ME, "resp_1"))
    assert found is not None
    assert found.status == "failed"


def test_a_conversation_gets_the_items_and_its_lock_back(store: Store, run: Run) -> None:
    async def in_conversation() -> None:
        await converse(store, "conv_1")
        await store.conversations.lock(ME, "conv_1", "resp_1")
        new = new_response("resp_1", "msg_1")
        store.pending.begin_later(ME, msgspec.structs.replace(new, conversation_id="conv_1"), LONG)
        await store.pending.finish(ME, finished("resp_1", "msg_2"))
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(in_conversation())
    page = run(store.conversations.list_items(ME, "conv_1", PageQuery(order="asc")))
    assert [found.id for found in page.items] == ["msg_1", "msg_2"]


def test_what_cannot_be_stored_leaves_nothing(store: Store, run: Run) -> None:
    run(respond(store, "resp_1", ["msg_1"], []))

    async def refused(response_id: str, given: str, reference: str) -> None:
        new = new_response(response_id, given, references=[reference])
        store.pending.begin_later(ME, new, LONG)
        await store.pending.finish(ME, finished(response_id, "msg_9"))

    with pytest.raises(ItemNotFound):
        run(refused("resp_2", "msg_2", "msg_3"))
    with pytest.raises(DuplicateItem):
        run(refused("resp_3", "msg_1*", "msg_1"))
    assert run(store.items.find(ME, ["msg_2", "msg_9"])) == {}
    assert run(store.items.find(ME, ["msg_1"])) == {"msg_1": item("msg_1").body}
