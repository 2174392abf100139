"""Reads, lists and deletions of responses."""

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.errors import CursorNotFound
from antiphon.store.responses.rows import ItemPage, StoredItem
from antiphon.wire.lists import PageQuery
from tests.store.conftest import Run
from tests.store.samples import ME, bodies, body, finished, ids_of, new_response, respond


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
