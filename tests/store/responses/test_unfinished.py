"""Responses that stay in progress because their end was not stored."""

import pytest

from antiphon.store.errors import DuplicateItem, ObjectNotFound
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, begin_in, converse, finished, new_response, status_of


def test_a_response_whose_end_cannot_be_stored_has_failed(open_store: OpenStore, run: Run) -> None:
    store = open_store()

    async def scenario() -> None:
        await converse(store, "conv_1", "taken")
        await begin_in(store, "conv_1", "resp_1", "a")
        with pytest.raises(DuplicateItem):
            await store.pending.finish(ME, finished("resp_1", "taken*"))
        assert await status_of(store, "resp_1") == "in_progress"
        assert await store.servers.recover(silent_for=30) == 1
        assert await status_of(store, "resp_1") == "failed"
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_a_response_that_could_not_begin_locks_nobody_out(open_store: OpenStore, run: Run) -> None:
    store = open_store()

    async def scenario() -> None:
        await converse(store, "conv_1", "taken")
        with pytest.raises(DuplicateItem):
            await begin_in(store, "conv_1", "resp_1", "taken*")
        with pytest.raises(DuplicateItem):
            await store.pending.finish(ME, finished("resp_1", "b"))
        await store.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_a_failed_cleanup_is_repeated(open_store: OpenStore, run: Run) -> None:
    store = open_store()

    async def scenario() -> None:
        await store.pending.begin(ME, new_response("resp_1", "a"))
        with pytest.raises(DuplicateItem):
            await store.pending.finish(ME, finished("resp_1", "a*"))
        with pytest.raises(ObjectNotFound, match="Conversation"):
            await store.conversations.lock(ME, "conv_9", "resp_2")
        assert await status_of(store, "resp_1") == "in_progress"
        assert await store.servers.recover(silent_for=30) == 1
        assert await store.servers.recover(silent_for=30) == 0

    run(scenario())
