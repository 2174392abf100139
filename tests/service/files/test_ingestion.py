import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.documents.extract import DocumentError
from antiphon.engine.request_context import RequestContext
from antiphon.errors import StoreUnavailable, UpstreamTimeout
from antiphon.service.files import ingestion
from antiphon.service.files.folder import FileFolder
from antiphon.service.files.ingestion import Ingestion, Reading
from antiphon.service.files.retrieval import Retrieval, Source, StoreTarget
from antiphon.store import Store
from antiphon.store.vector_stores.chunks import NewChunk
from antiphon.store.vector_stores.rows import AttachedFile, Unread
from tests.store.file_samples import attach, file

NO_ERROR = (None, None)


class ScriptedRetrieval(Retrieval):
    """Retrieval that reads nothing and returns scripted results once `gate` is open."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Semaphore(0)
        self.read: list[str] = []
        self.at_once = self.most = 0

    async def ingest(
        self, target: StoreTarget, source: Source, size: int, overlap: int, context: RequestContext
    ) -> int:
        self.read.append(source.file_id)
        self.began.release()
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.gate.wait()
        self.at_once -= 1
        if source.file_id in self.outcomes:
            raise self.outcomes[source.file_id]
        return 7


class Room:
    """An ingestion over a store in memory."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self.run = runner.run
        self.store = self.run(Store.open(":memory:"))
        self.run(self._make(folder))

    async def _make(self, folder: Path) -> None:
        self.retrieval = ScriptedRetrieval()
        self.ingestion = Ingestion(self.store, FileFolder(folder, max_file_bytes=100), self.retrieval)

    async def begin(
        self, *file_ids: str, patience: float = 10.0, batch: str | None = None
    ) -> list[AttachedFile]:
        attached = await attach(self.store, "vs_1", *file_ids, batch=batch)
        readings = [
            Reading(StoreTarget("vs_1"), each, file(each.file_id), RequestContext()) for each in attached
        ]
        await self.ingestion.begin(readings, patience)
        return attached

    async def ended(self, file_id: str) -> AttachedFile:
        """Return the file once it is no longer in progress."""
        while (found := await self.store.attachments.get("vs_1", file_id)).status == "in_progress":
            pass
        return found


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with asyncio.Runner() as runner:
        room = Room(runner, tmp_path)
        yield room
        room.run(room.ingestion.close())
        room.run(room.store.close())


def test_a_file_is_read_before_begin_returns(room: Room) -> None:
    async def scenario() -> None:
        await room.begin("file-1")
        found = await room.store.attachments.get("vs_1", "file-1")
        assert (found.status, found.usage_bytes) == ("completed", 7)
        assert (found.error_code, found.error_message) == NO_ERROR

    room.run(scenario())


def test_a_slow_file_is_read_in_the_background(room: Room) -> None:
    async def scenario() -> None:
        room.retrieval.gate.clear()
        await room.begin("file-1", patience=0)
        assert (await room.store.attachments.get("vs_1", "file-1")).status == "in_progress"
        room.retrieval.gate.set()
        assert (await room.ended("file-1")).status == "completed"

    room.run(scenario())


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DocumentError("unsupported_file", "No text in there."), "unsupported_file", "No text in there."),
        (UpstreamTimeout("The model is slow."), "server_error", "The model is slow."),
        (RuntimeError("secret"), "server_error", "The server could not read the file."),
    ],
)
def test_a_file_that_fails_says_why_and_the_next_is_read(
    room: Room, error: Exception, code: str, message: str
) -> None:
    async def scenario() -> None:
        room.retrieval.outcomes["file-1"] = error
        await room.begin("file-1", "file-2")
        failed = await room.store.attachments.get("vs_1", "file-1")
        assert (failed.status, failed.error_code, failed.error_message) == ("failed", code, message)
        assert (await room.store.attachments.get("vs_1", "file-2")).status == "completed"

    room.run(scenario())


def test_a_few_are_read_at_a_time(room: Room) -> None:
    async def scenario() -> None:
        names = [f"file-{number}" for number in range(10)]
        room.retrieval.gate.clear()
        await room.begin(*names, patience=0)
        for _ in range(4):
            await room.retrieval.began.acquire()
        room.retrieval.gate.set()
        for name in names:
            assert (await room.ended(name)).status == "completed"
        assert room.retrieval.most == 4

    room.run(scenario())


def test_what_is_cancelled_or_taken_out_before_its_turn_is_not_read(room: Room) -> None:
    async def scenario() -> None:
        names = [f"file-{number}" for number in range(6)]
        room.retrieval.gate.clear()
        await room.begin(*names, patience=0, batch="vsfb_1")
        for _ in range(4):
            await room.retrieval.began.acquire()
        cancelled = await room.store.attachments.cancel_batch("vs_1", "vsfb_1")
        assert sorted(cancelled) == names
        room.retrieval.gate.set()
        await room.begin("file-9")
        assert set(room.retrieval.read) == {*names[:4], "file-9"}
        statuses = [(await room.store.attachments.get("vs_1", name)).status for name in names]
        assert set(statuses) == {"cancelled"}

    room.run(scenario())


def test_an_end_that_cannot_be_stored_is_stored_later(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = 2
    finish = room.store.attachments.finish

    async def unreliable(attached: AttachedFile, outcome: int | Unread) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreUnavailable("The disk is full.")
        await finish(attached, outcome)

    monkeypatch.setattr(ingestion, "_RETRY", 0.0)
    monkeypatch.setattr(room.store.attachments, "finish", unreliable)
    room.run(room.begin("file-1"))
    assert room.run(room.store.attachments.get("vs_1", "file-1")).status == "completed"


def test_closing_stops_what_is_read_and_leaves_it_to_the_next_start(room: Room) -> None:
    async def scenario() -> None:
        room.retrieval.gate.clear()
        await room.begin("file-1", patience=0)
        await room.ingestion.close()
        assert (await room.store.attachments.get("vs_1", "file-1")).status == "in_progress"
        assert len(asyncio.all_tasks()) == 1

    room.run(scenario())


def test_a_file_that_fails_when_it_is_attached_again_has_no_old_chunks(room: Room) -> None:
    async def scenario() -> None:
        (attached,) = await attach(room.store, "vs_1", "file-1")
        new = [NewChunk("an owl", None)] * 3
        assert await room.store.chunks.replace("vs_1", "file-1", attached.attempt, new)
        await room.store.attachments.finish(attached, 10)
        room.retrieval.outcomes["file-1"] = DocumentError("invalid_file", "It is empty.")
        await room.begin("file-1")
        assert (await room.ended("file-1")).status == "failed"
        assert await room.store.chunks.of_file("vs_1", "file-1") == []

    room.run(scenario())
