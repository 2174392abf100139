"""The latest events of a response, for readers of the process that executes it."""

import asyncio

import pytest

from antiphon.durable import tail as module
from antiphon.durable.tail import Tail
from antiphon.engine.request_context import RequestContext
from antiphon.ids import new_id
from antiphon.store import Store
from antiphon.store.runs.rows import RunLimits
from tests.durable.crashing import HarmlessTool, Servers
from tests.service.world import ME
from tests.store.conftest import Run


def test_a_reader_gets_the_events_after_its_last_one() -> None:
    tail = Tail(5)
    tail.add([b"5", b"6"])
    tail.add([b"7"])
    assert tail.after(4) == [b"5", b"6", b"7"]
    assert tail.after(6) == [b"7"]
    assert tail.after(7) == []


def test_earlier_events_are_in_the_database_only() -> None:
    assert Tail(5).after(3) is None


def test_the_number_of_bytes_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 3)
    tail = Tail(0)
    tail.add([b"aa", b"b", b"c"])
    assert tail.after(-1) is None
    assert tail.after(0) == [b"b", b"c"]


def test_an_execution_that_was_stopped_leaves_its_readers_to_the_database() -> None:
    tail = Tail(0)
    tail.add([b"a"])
    tail.is_open = False
    assert tail.after(-1) is None


def test_an_execution_that_has_ended_keeps_its_events_for_its_readers() -> None:
    tail = Tail(0)
    tail.add([b"a"], are_last=True)
    tail.is_open = False
    assert tail.after(-1) == [b"a"]
    assert tail.has_ended


def test_a_reader_of_this_process_gets_what_the_database_has(store: Store, run: Run) -> None:
    async def scenario() -> None:
        servers = Servers(store, HarmlessTool(), limits=RunLimits())
        context = RequestContext(owner=ME, ids=new_id)
        read: list[bytes] = []

        async def follow(response_id: str) -> None:
            async for page in await servers.background.follow(ME, response_id, -1):
                read.extend(page.events)

        queued = await servers.background.submit(context, servers.request(stream=True), None)
        async with asyncio.timeout(20):
            await follow(queued.id)
        page = await store.runs.events_after(queued.id, -1)
        assert page is not None
        assert page.has_ended
        assert page.events == read
        await servers.background.close()

    run(scenario())
