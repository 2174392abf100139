"""Responses of each form, during which any one call of the store fails."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
import pytest
from sqlalchemy import Connection

from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, NotFound, StoreUnavailable
from antiphon.ids import new_id
from antiphon.service.responses.run import Run as Running
from antiphon.store import Store
from antiphon.store.database import Job
from antiphon.store.runs.rows import Fenced
from antiphon.wire.json import JSON, JSONObject
from tests.durable.batching import FailingStore
from tests.durable.crashing import ID, HarmlessTool, Servers
from tests.durable.test_crashes import check_items, texts
from tests.service.world import ME, wire
from tests.store.conftest import Run
from tests.store.samples import converse, count_rows, seen_in
from tests.support.thorough import some_of

ENDED = {"completed", "failed"}


class FailingDatabase(FailingStore):
    """The same, with writes that fail in their transaction, as those of a real database."""

    def _counted_write(
        self,
        run: Callable[[Connection, list[JSON]], None],
        argument: JSON,
        *,
        on_failure: Callable[[], None] | None = None,
        **options: JSON,
    ) -> Job[object]:
        fails, has_effect = self._next()
        if not fails:
            return self._enqueue(run, argument, on_failure=on_failure, **options)
        if not has_effect:

            def fail(_connection: Connection, _arguments: list[JSON]) -> None:
                raise self._error()

            return self._enqueue(fail, argument, on_failure=on_failure, **options)
        # The connection is lost after the commit.
        job = self._enqueue(run, argument, on_failure=on_failure, **options)
        lost = msgspec.structs.replace(job, future=asyncio.get_running_loop().create_future())

        def lose(_: object) -> None:
            lost.error = self._error()
            if on_failure is not None:
                on_failure()
            if not lost.future.cancelled():
                lost.future.set_exception(lost.error)

        job.future.add_done_callback(lose)
        return lost


async def opened(servers: Servers, conversation: str, **changes: JSON) -> Running:
    """Return a response that isn't in the background, to be run."""
    request = servers.request(background=False, conversation=conversation, **changes)
    context = RequestContext(owner=ME, clock=lambda: 1000.0, ids=new_id)
    return await servers.responses.create(context, request)


async def as_stream(servers: Servers, conversation: str) -> JSONObject | None:
    """Run a response with a stream; return it as its last event has it, None without one."""
    async with await opened(servers, conversation, stream=True) as running:
        events = [wire(event) async for batch in running.events() for event in batch]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last: JSONObject = events[-1]["response"]
    if last["status"] == "completed":
        check_items(events)
    return last


async def as_json(servers: Servers, conversation: str) -> JSONObject | None:
    """Run a response without a stream, and return it."""
    async with await opened(servers, conversation) as running:
        response: JSONObject = wire(await running.response())
    return response


async def in_background(servers: Servers, conversation: str) -> JSONObject | None:
    """Submit a response and execute it once."""
    await servers.submit(conversation=conversation)
    if (execution := await servers.next()) is not None:
        await servers.go_on(execution)
    return None


async def recover(servers: Servers) -> None:
    """Do what a server does every few seconds."""
    await servers.store.servers.recover(20)
    while (execution := await servers.next()) is not None:
        await servers.go_on(execution)


async def check(servers: Servers, conversation: str, seen: JSONObject | None, whole: int) -> None:
    """Assert what holds after any failure: terminal states, whole turns, no lock."""
    items = len(await seen_in(servers.store, conversation))
    assert items in (0, whole), "a turn is in a conversation as a whole or not at all"
    response_id = ID if seen is None else seen["id"]
    with suppress(NotFound):
        stored = wire(await servers.responses.get(ME, response_id))
        assert stored["status"] in ENDED
        assert items == (whole if stored["status"] == "completed" else 0)
        if seen is not None and seen["status"] == "completed":
            assert stored == seen
    if (events := await servers.events() if seen is None else []) != []:
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events[-1]["response"]["status"] == "completed"
        assert texts(events)[-1] == "All done."
        check_items(events)
    async with await opened(servers, conversation) as running:
        assert (await running.response()).status == "completed"


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("respond", [as_stream, as_json, in_background])
def test_any_call_of_the_store_can_fail(
    store: Store, url: str, run: Run, respond: Callable[..., object], *, is_committed: bool
) -> None:
    async def attempt(at: int) -> tuple[int, bool]:
        """Run a response whose call `at` fails; return the number of calls, and whether it raises."""
        servers = Servers(store, HarmlessTool())
        conversation = f"conv_{at}"
        await converse(store, conversation)
        seen, has_failed = None, False
        with FailingDatabase(store, at, is_committed=is_committed) as failing:
            try:
                seen = await respond(servers, conversation)  # type: ignore[misc]
            except (AntiphonError, Fenced):
                has_failed = True
        await recover(servers)
        await check(servers, conversation, seen, whole=8)
        assert max(servers.model.rounds.values(), default=0) <= 3
        await store.responses.delete(ME, ID)
        return failing.count, has_failed

    async def scenario() -> None:
        count, has_failed = await attempt(0)
        assert not has_failed
        assert count >= 3
        for at in some_of(range(1, count + 1), 3):
            await attempt(at)
        rows = count_rows(url)
        assert rows["run_steps"] == 0

    run(scenario())


def test_the_failing_call_raises_what_a_database_raises(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for is_committed in (False, True):
            with (
                FailingDatabase(store, 1, is_committed=is_committed),
                pytest.raises(StoreUnavailable),
            ):
                await converse(store, f"conv_{is_committed}")
            found = await store.conversations.get(ME, "conv_True") if is_committed else None
            assert (found is not None) == is_committed

    run(scenario())
