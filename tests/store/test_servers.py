"""Servers of a database recover what stopped ones left in progress."""

import json

import pytest

from antiphon.errors import ConversationLocked
from antiphon.store import Store
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, begin_in, converse, finished, new_response, respond, seen_in, status_of


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_a_silent_server_left_has_failed(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    silent, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        await silent.pending.begin(ME, new_response("resp_left", "a"))
        await respond(silent, "resp_done", ["b"], ["c"])
        await other.pending.begin(ME, new_response("resp_other", "d"))
        clock.now += 29
        assert await other.servers.recover(silent_for=30) == 0
        assert await status_of(other, "resp_left") == "in_progress"
        clock.now += 2
        assert await other.servers.recover(silent_for=30) == 1
        assert await status_of(other, "resp_left") == "failed"
        assert await status_of(other, "resp_done") == "completed"
        assert await status_of(other, "resp_other") == "in_progress"
        assert await other.servers.recover(silent_for=30) == 0

    run(scenario())


@pytest.mark.parametrize("many", [2, 100])
def test_all_that_a_server_left_has_failed_whether_silent_or_ended(
    open_store: OpenStore, run: Run, many: int
) -> None:
    clock = Clock()
    silent, other = open_store(clock=clock), open_store(clock=clock)
    killed = open_store(server_id="killed", clock=clock)
    ids = [f"resp_{number}" for number in range(many)]

    async def begin(store: Store, prefix: str) -> None:
        for response_id in ids:
            store.pending.begin(ME, new_response(prefix + response_id, f"msg_{prefix}{response_id}"))
        await store.servers.heartbeat()

    async def statuses(store: Store, prefix: str) -> set[str]:
        return {await status_of(store, prefix + response_id) for response_id in ids}

    run(begin(silent, "silent_"))
    run(begin(killed, "killed_"))
    clock.now += 29
    back = open_store(has_ended=lambda server_id: server_id == "killed", clock=clock)
    assert run(statuses(back, "killed_")) == {"failed"}
    assert run(statuses(other, "silent_")) == {"in_progress"}
    clock.now += 2
    assert run(other.servers.recover(silent_for=30)) == many
    assert run(statuses(other, "silent_")) == {"failed"}


def test_the_failed_response_says_why(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    silent, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        await silent.pending.begin(ME, new_response("resp_1", "a"))
        clock.now += 100
        await other.servers.recover(silent_for=30)
        found = await other.responses.get(ME, "resp_1")
        assert found is not None
        assert found.completed_at is None
        assert json.loads(found.body) == {
            "id": "resp_1",
            "status": "failed",
            "completed_at": None,
            "error": {
                "code": "server_error",
                "message": "The server stopped before the end of the response was stored.",
            },
        }

    run(scenario())


def test_a_server_that_is_heard_of_keeps_its_responses(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    busy, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        await converse(busy, "conv_1")
        await begin_in(busy, "conv_1", "resp_1", "a")
        clock.now += 100
        await busy.servers.heartbeat()
        assert await other.servers.recover(silent_for=30) == 0
        assert await status_of(other, "resp_1") == "in_progress"
        with pytest.raises(ConversationLocked):
            await other.conversations.lock(ME, "conv_1", "resp_2")

    run(scenario())


def test_ones_own_responses_are_never_given_up(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    alone = open_store(clock=clock)

    async def scenario() -> None:
        await alone.pending.begin(ME, new_response("resp_1", "a"))
        clock.now += 1000
        assert await alone.servers.recover(silent_for=30) == 0
        assert await status_of(alone, "resp_1") == "in_progress"

    run(scenario())


def test_the_locks_of_a_silent_server_are_released(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    silent, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        await converse(silent, "conv_1")
        await converse(silent, "conv_2")
        await begin_in(silent, "conv_1", "resp_1", "a")
        await silent.conversations.lock(ME, "conv_2", "resp_never_begun")
        clock.now += 100
        assert await other.servers.recover(silent_for=30) == 1
        await other.conversations.lock(ME, "conv_1", "resp_2")
        await other.conversations.lock(ME, "conv_2", "resp_3")

    run(scenario())


def test_a_server_that_closed_needs_no_silence(url: str, open_store: OpenStore, run: Run) -> None:
    other = open_store()

    async def scenario() -> None:
        leaving = await Store.open(url, clock=Clock())
        await leaving.pending.begin(ME, new_response("resp_1", "a"))
        await leaving.close()
        assert await other.servers.recover(silent_for=30) == 1
        assert await status_of(other, "resp_1") == "failed"

    run(scenario())


def test_a_server_recovers_at_once_from_one_that_has_certainly_ended(open_store: OpenStore, run: Run) -> None:
    before = open_store(server_id="before")

    async def begin() -> None:
        await converse(before, "conv_1")
        await begin_in(before, "conv_1", "resp_1", "a")

    run(begin())
    after = open_store(has_ended=lambda server_id: server_id == "before")
    assert run(status_of(after, "resp_1")) == "failed"
    run(after.conversations.lock(ME, "conv_1", "resp_2"))


def test_a_server_that_was_only_slow_may_still_finish(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    slow, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        await converse(slow, "conv_1")
        await begin_in(slow, "conv_1", "resp_1", "a")
        clock.now += 100
        await other.servers.recover(silent_for=30)
        await slow.pending.finish(ME, finished("resp_1", "b"))
        assert await status_of(other, "resp_1") == "completed"
        assert await seen_in(other, "conv_1") == ["a", "b"]

    run(scenario())
