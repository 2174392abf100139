"""The event log of a response that is not in the background."""

import asyncio

import msgspec
import pytest

from antiphon.durable import streams
from antiphon.durable.streams import StreamLog
from antiphon.errors import InternalError, StoreUnavailable
from antiphon.store import Store
from antiphon.store.runs.rows import RunWrite
from antiphon.wire.events import Event, OutputTextDelta
from antiphon.wire.json import JSONObject
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, finished, new_response, status_of


def deltas(begin: int, end: int) -> list[Event]:
    return [OutputTextDelta("msg_1", 0, 0, f"text {number}", (), number) for number in range(begin, end)]


class Opened:
    """The log of a new response in progress."""

    def __init__(self, store: Store, grace: float = 0.0) -> None:
        self.store = store
        self.woken = asyncio.Event()
        new = new_response("resp_1", "in_1")
        self.log = StreamLog(store.runs, ME, new, self.woken.set, grace)
        store.pending.begin(ME, new)
        self.log.begin()

    async def numbers(self) -> list[int]:
        page = await self.store.runs.events_after("resp_1", -1)
        assert page is not None
        events: list[JSONObject] = [msgspec.json.decode(event) for event in page.events]
        return [event["sequence_number"] for event in events]

    async def written(self) -> None:
        """Wait for the next write."""
        self.woken.clear()
        async with asyncio.timeout(10):
            await self.woken.wait()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_DELAY", 0.01)
    monkeypatch.setattr(streams, "_DELAY_ALONE", 0.01)
    monkeypatch.setattr(streams, "READER_BEAT", 0.01)


def test_events_that_come_together_share_a_write(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        writes: list[RunWrite] = []
        write = store.runs.write

        def noted(each: RunWrite) -> asyncio.Future[None]:
            writes.append(each)
            return write(each)

        monkeypatch.setattr(store.runs, "write", noted)
        opened = Opened(store)
        for number in range(5):
            opened.log.append(deltas(number, number + 1))
        await opened.written()
        assert await opened.numbers() == list(range(5))
        assert len(writes) == 1

    run(scenario())


def test_the_last_events_and_the_end_are_one_write(store: Store, run: Run) -> None:
    async def scenario() -> None:
        opened = Opened(store)
        opened.log.append(deltas(0, 3))
        await opened.log.end(deltas(3, 5), finished("resp_1", "out_1"))
        page = await store.runs.events_after("resp_1", 1)
        assert page is not None
        assert (len(page.events), page.last_seq, page.has_ended) == (3, 4, True)
        assert await status_of(store, "resp_1") == "completed"

    run(scenario())


def test_an_end_follows_a_write_that_is_not_finished(store: Store, run: Run) -> None:
    async def scenario() -> None:
        opened = Opened(store)
        opened.log.append(deltas(0, 3))
        opened.log._write()
        opened.log.append(deltas(3, 4))
        assert opened.log.next_number == 4
        await opened.log.end(deltas(4, 5), finished("resp_1"))
        assert await opened.numbers() == list(range(5))

    run(scenario())


def test_a_write_that_fails_is_repeated_with_later_events(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        opened, write = Opened(store), store.runs.write

        def failing(each: RunWrite) -> asyncio.Future[None]:
            monkeypatch.setattr(store.runs, "write", write)
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_exception(StoreUnavailable("The disk is full."))
            return future

        monkeypatch.setattr(store.runs, "write", failing)
        opened.log.append(deltas(0, 3))
        await opened.written()
        opened.log.append(deltas(3, 4))
        await opened.log.end(deltas(4, 5), finished("resp_1"))
        assert await opened.numbers() == list(range(5))

    run(scenario())


def test_an_end_without_the_events_before_it_is_refused(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        opened = Opened(store)
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(store.runs, "write", lambda _: lost)
        opened.log.append(deltas(0, 3))
        opened.log._write()
        with pytest.raises(InternalError):
            await opened.log.end(deltas(3, 4), finished("resp_1"))
        lost.set_exception(StoreUnavailable("The disk is full."))
        await store.servers.recover(20)
        assert await status_of(store, "resp_1") == "failed"
        page = await store.runs.events_after("resp_1", -1)
        assert page is not None
        (event,) = page.events
        assert page.has_ended
        assert msgspec.json.decode(event)["type"] == "response.failed"

    run(scenario())


def test_the_log_of_a_killed_server_ends_with_the_failure(open_store: OpenStore, run: Run) -> None:
    async def scenario() -> None:
        opened = Opened(first)
        opened.log.append(deltas(0, 3))
        await opened.written()
        assert await second.servers.recover(20) == 1
        page = await second.runs.events_after("resp_1", -1)
        assert page is not None
        assert page.has_ended
        events: list[JSONObject] = [msgspec.json.decode(event) for event in page.events]
        assert [event["sequence_number"] for event in events] == [0, 1, 2, 3]
        assert events[-1]["type"] == "response.failed"
        assert events[-1]["response"]["status"] == "failed"
        # The server was only slow. Its response ends as it would without a log, which stays as it is.
        opened.log.append(deltas(3, 4))
        await opened.log.end(deltas(4, 5), finished("resp_1"))
        assert await second.runs.events_after("resp_1", -1) == page

    first = open_store(server_id="first", clock=lambda: 1000.0)
    second = open_store(server_id="second", clock=lambda: 2000.0)
    run(scenario())


def test_a_deleted_response_leaves_no_events(store: Store, run: Run) -> None:
    async def scenario() -> None:
        opened = Opened(store)
        opened.log.append(deltas(0, 3))
        await opened.written()
        assert await store.responses.delete(ME, "resp_1")
        opened.log.append(deltas(3, 4))
        await opened.log.end(deltas(4, 5), finished("resp_1", "out_1"))
        assert await store.runs.events_after("resp_1", -1) is None
        assert await store.responses.get(ME, "resp_1") is None
        opened.log.append(deltas(5, 6))

    run(scenario())


def test_a_response_lingers_while_it_is_read(open_store: OpenStore, run: Run) -> None:
    now = 1000.0

    async def scenario() -> None:
        nonlocal now
        opened = Opened(store, grace=0.05)
        opened.log.append(deltas(0, 1))
        await opened.written()
        assert await store.runs.unread_for("resp_1") == 1000
        assert await store.runs.begin_reading(ME, "resp_1") == "streaming"
        assert await store.runs.unread_for("resp_1") == 0
        now += 10
        assert await store.runs.unread_for("resp_1") == 10
        await store.runs.note_reader("resp_1")
        lingering = asyncio.create_task(opened.log.linger())
        await asyncio.wait([lingering], timeout=0.3)
        assert not lingering.done()
        now += 10
        async with asyncio.timeout(10):
            await lingering

    store = open_store(clock=lambda: now)
    run(scenario())


def test_a_response_does_not_linger_after_its_end(store: Store, run: Run) -> None:
    async def scenario() -> None:
        opened = Opened(store, grace=1000)
        lingering = asyncio.create_task(opened.log.linger())
        await opened.log.end(deltas(0, 1), finished("resp_1"))
        async with asyncio.timeout(10):
            await lingering

    run(scenario())


def test_a_failing_database_does_not_end_the_grace_period(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: str) -> float:
        raise StoreUnavailable("The disk is full.")

    async def scenario() -> None:
        opened = Opened(store, grace=0.05)
        monkeypatch.setattr(store.runs, "unread_for", fail)
        lingering = asyncio.create_task(opened.log.linger())
        await asyncio.wait([lingering], timeout=0.2)
        assert not lingering.done()
        monkeypatch.undo()
        async with asyncio.timeout(10):
            await lingering

    run(scenario())
