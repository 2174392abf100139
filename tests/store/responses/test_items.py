"""Items, which are stored once and deleted with their last link."""

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.responses import removal
from tests.store.conftest import Run
from tests.store.samples import ME, body, converse, finished, item, new_response, respond


def test_text_of_any_kind(store: Store, run: Run) -> None:
    async def scenario() -> None:
        text = msgspec.json.encode({"text": "\0 ' \" \\ 日本 😀"}).decode()
        odd = msgspec.structs.replace(item("msg_1"), body=text)
        await store.pending.begin(
            ME, msgspec.structs.replace(new_response("resp_1", "msg_1"), input_new=[odd])
        )
        assert await store.items.find(ME, ["msg_1"]) == {"msg_1": text}

    run(scenario())


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


def test_an_input_may_have_more_items_than_a_statement_has_parameters(
    store: Store, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_SLICE", 40_000)  # Slices of 500 take long on busy machines.
    # The limits are 32,766 parameters in SQLite (by default) and 65,535 in PostgreSQL.
    ids = [f"msg_{number}" for number in range(33_000 if url.startswith("sqlite") else 66_000)]

    async def scenario() -> None:
        store.pending.begin_later(ME, new_response("resp_1", *ids), 60)
        await store.pending.finish(ME, finished("resp_1", "out_1"))
        assert len(await store.items.find(ME, ids)) == len(ids)
        assert await store.responses.delete(ME, "resp_1")
        await store.deletions.remove_all()
        assert await store.items.find(ME, ids) == {}

    run(scenario())
