"""Files, vector stores and searches together: their owners and their expiry."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from antiphon.engine.ports import HostedTools
from antiphon.engine.request_context import RequestContext, Unobserved
from antiphon.errors import InvalidRequest, NotFound, StoreUnavailable
from antiphon.net.guard import Guard
from antiphon.service.files.files import FileDetails
from antiphon.service.services import FileServices, Services, ServiceSettings, Uninstrumented
from antiphon.settings.tools import FileSearchSettings, ToolsSettings
from antiphon.store import Store
from antiphon.store.database import Job
from antiphon.wire.lists import PageQuery
from antiphon.wire.tools import FileSearchTool
from antiphon.wire.vector_stores import (
    CreateFileBatch,
    CreateVectorStore,
    CreateVectorStoreFile,
    ExpiresAfter,
    SearchVectorStore,
    UpdateVectorStore,
    UpdateVectorStoreFile,
)
from tests.service.world import Catalogue, ScriptedModel

T = TypeVar("T")
ME, HER = "me", "her"
DAY = 86_400.0


def test_the_look_for_background_work_is_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        store = await Store.open(":memory:")
        async with Services.open(store, Catalogue(ScriptedModel())) as services:
            database, jobs = store._database, list[object]()
            enqueue = database.enqueue

            def counted(run: Callable[[Connection, list[object]], None], argument: object) -> Job[object]:
                jobs.append(run)
                return enqueue(run, argument)

            monkeypatch.setattr(database, "enqueue", counted)
            before = asyncio.all_tasks()
            await services.go_on()
            assert len(jobs) == 1  # In memory, a read is a write.
            assert asyncio.all_tasks() == before
        await store.close()

    asyncio.run(scenario())


class Room:
    """The services over a store in memory, with a clock that a test sets."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self.now = 1000.0
        self.run = runner.run
        self.store = self.run(Store.open(":memory:", clock=lambda: self.now))
        self.services = self.run(self._open(folder))

    async def _open(self, folder: Path) -> FileServices:
        tools = ToolsSettings(file_search=FileSearchSettings(files=str(folder), max_file_bytes=1000))
        return FileServices.open(
            self.store, Catalogue(ScriptedModel()), ServiceSettings(tools=tools), Guard()
        )

    async def upload(self, owner: str, text: str, expires_after: int | None = None) -> str:
        async with self.services.files.folder.receive() as upload:
            await upload.write(text.encode())
            details = FileDetails(
                filename="notes.txt",
                media_type="text/plain",
                purpose="assistants",
                expires_after=expires_after,
            )
            return (await self.services.files.create(RequestContext(owner=owner), upload, details)).id

    async def fill(self, owner: str, text: str, days: int | None = None) -> tuple[str, str]:
        """Create a vector store with one file, and return the ids of both."""
        file_id = await self.upload(owner, text)
        expires = None if days is None else ExpiresAfter(anchor="last_active_at", days=days)
        request = CreateVectorStore(file_ids=[file_id], expires_after=expires)
        return (await self.services.vector_stores.create(RequestContext(owner=owner), request)).id, file_id


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with asyncio.Runner() as runner:
        room = Room(runner, tmp_path / "files")
        yield room
        room.run(room.services.close())
        room.run(room.store.close())


async def refused(work: Awaitable[object]) -> bool:
    try:
        await work
    except NotFound:
        return True
    return False


Attempt = Callable[[FileServices, str, str, str], Awaitable[object]]
"""A request of mine that names her vector store, file and batch."""

ATTEMPTS: dict[str, Attempt] = {
    "get a file": lambda s, v, f, b: s.files.get(ME, f),
    "read a file": lambda s, v, f, b: s.files.content(ME, f),
    "delete a file": lambda s, v, f, b: s.files.delete(ME, f),
    "get": lambda s, v, f, b: s.vector_stores.get(ME, v),
    "update": lambda s, v, f, b: s.vector_stores.update(ME, v, UpdateVectorStore(name="mine")),
    "delete": lambda s, v, f, b: s.vector_stores.delete(ME, v),
    "search": lambda s, v, f, b: s.search.search(
        RequestContext(owner=ME), v, SearchVectorStore(query="apples")
    ),
    "the tool's search": lambda s, v, f, b: s.search.for_owner(RequestContext(owner=ME))(
        FileSearchTool(vector_store_ids=[v]), "apples"
    ),
    "make one with her file": lambda s, v, f, b: s.vector_stores.create(
        RequestContext(owner=ME), CreateVectorStore(file_ids=[f])
    ),
    "attach": lambda s, v, f, b: s.attached_files.add(
        RequestContext(owner=ME), v, CreateVectorStoreFile(file_id=f)
    ),
    "get attached": lambda s, v, f, b: s.attached_files.get(ME, v, f),
    "list attached": lambda s, v, f, b: s.attached_files.page(ME, v, PageQuery(), None),
    "update attached": lambda s, v, f, b: s.attached_files.update(
        ME, v, f, UpdateVectorStoreFile(attributes={})
    ),
    "remove attached": lambda s, v, f, b: s.attached_files.remove(ME, v, f),
    "read attached": lambda s, v, f, b: s.attached_files.content(ME, v, f),
    "make a batch": lambda s, v, f, b: s.attached_files.add_batch(
        RequestContext(owner=ME), v, CreateFileBatch(file_ids=[f])
    ),
    "get a batch": lambda s, v, f, b: s.attached_files.get_batch(ME, v, b),
    "cancel a batch": lambda s, v, f, b: s.attached_files.cancel_batch(ME, v, b),
    "list a batch": lambda s, v, f, b: s.attached_files.batch_page(ME, (v, b), PageQuery(), None),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_is_hers_is_not_there_for_me(room: Room, attempt: str) -> None:
    """S17: another owner's object is not found, like one that does not exist."""

    async def scenario() -> None:
        store_id, file_id = await room.fill(HER, "Apples grow.")
        batch = await room.services.attached_files.add_batch(
            RequestContext(owner=HER), store_id, CreateFileBatch(file_ids=[file_id])
        )
        assert await refused(ATTEMPTS[attempt](room.services, store_id, file_id, batch.id))
        found = await room.services.search.search(
            RequestContext(owner=HER), store_id, SearchVectorStore(query="apples")
        )
        assert [result.file_id for result in found.data] == [file_id]

    room.run(scenario())


def test_my_store_does_not_take_her_file_and_lists_show_my_own(room: Room) -> None:
    """S18: lists have only the owner's objects."""

    async def scenario() -> None:
        await room.fill(HER, "Apples grow.")
        my_store, my_file = await room.fill(ME, "Whales swim.")
        her_file = (await room.services.files.page(HER, PageQuery(), None)).data[0].id
        request = CreateVectorStoreFile(file_id=her_file)
        assert await refused(room.services.attached_files.add(RequestContext(owner=ME), my_store, request))
        files = (await room.services.files.page(ME, PageQuery(), None)).data
        stores = (await room.services.vector_stores.page(ME, PageQuery())).data
        assert ([each.id for each in files], [each.id for each in stores]) == ([my_file], [my_store])

    room.run(scenario())


def test_an_expired_file_leaves_no_bytes_and_no_chunks(room: Room) -> None:
    async def scenario() -> None:
        store_id, _ = await room.fill(ME, "Apples grow.")
        file_id = await room.upload(ME, "Apples fall.", expires_after=3600)
        await room.services.attached_files.add(
            RequestContext(owner=ME), store_id, CreateVectorStoreFile(file_id=file_id)
        )
        path, _ = await room.services.files.content(ME, file_id)
        await room.services.delete_expired()
        assert path.exists()
        room.now += 3601
        assert await refused(room.services.files.get(ME, file_id))
        await room.services.delete_expired()
        assert not path.exists()
        found = await room.services.search.search(
            RequestContext(owner=ME), store_id, SearchVectorStore(query="apples")
        )
        assert [result.content[0].text for result in found.data] == ["Apples grow."]

    room.run(scenario())


def test_an_expired_store_is_shown_but_not_searched(room: Room) -> None:
    async def scenario() -> None:
        store_id, file_id = await room.fill(ME, "Apples grow.", days=1)
        room.now += DAY - 10
        await room.services.search.search(
            RequestContext(owner=ME), store_id, SearchVectorStore(query="apples")
        )
        room.now += DAY - 10  # The search counts as use.
        assert (await room.services.vector_stores.get(ME, store_id)).status == "completed"
        room.now += 11
        await room.services.delete_expired()
        expired = await room.services.vector_stores.get(ME, store_id)
        assert (expired.status, expired.file_counts.total) == ("expired", 0)
        with pytest.raises(InvalidRequest, match="has expired") as raised:
            await room.services.search.search(
                RequestContext(owner=ME), store_id, SearchVectorStore(query="apples")
            )
        assert raised.value.code == "vector_store_expired"
        assert (await room.services.files.get(ME, file_id)).id == file_id

    room.run(scenario())


def test_the_tools_search_gives_what_the_item_shows(room: Room) -> None:
    async def scenario() -> None:
        first, file_id = await room.fill(ME, "Apples grow on trees.")
        second, _ = await room.fill(ME, "Whales swim.")
        search = room.services.search.for_owner(RequestContext(owner=ME))
        (hit,) = await search(FileSearchTool(vector_store_ids=[first, second, first]), "apples")
        # api.openai.com's recording with results has these names.
        assert sorted(hit) == ["attributes", "file_id", "filename", "score", "text", "vector_store_id"]
        assert (hit["vector_store_id"], hit["file_id"], hit["filename"], hit["text"]) == (
            first,
            file_id,
            "notes.txt",
            "Apples grow on trees.",
        )
        assert hit["attributes"] == {}
        (empty,) = [await room.services.vector_stores.create(RequestContext(owner=ME), CreateVectorStore())]
        assert await search(FileSearchTool(vector_store_ids=[empty.id]), "apples") == []

    room.run(scenario())


def test_a_missing_file_in_the_folder_is_reported(room: Room) -> None:
    async def scenario() -> None:
        file_id = await room.upload(ME, "Apples.")
        room.services.files.folder.path_of(file_id).unlink()
        with pytest.raises(StoreUnavailable, match="missing"):
            await room.services.files.content(ME, file_id)
        store = await room.services.vector_stores.create(
            RequestContext(owner=ME), CreateVectorStore(file_ids=[file_id])
        )
        attached = await room.services.attached_files.get(ME, store.id, file_id)
        assert attached.status == "failed"
        assert attached.last_error is not None
        assert (await room.services.files.delete(ME, file_id)).deleted

    room.run(scenario())


def test_nothing_is_kept_of_a_file_that_cannot_be_stored(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StoreUnavailable("The disk is full.")

    monkeypatch.setattr(room.store.files, "add", fail)
    with pytest.raises(StoreUnavailable):
        room.run(room.upload(ME, "Apples."))
    assert list(room.services.files.folder.path.iterdir()) == []


def test_without_instruments_models_and_tools_are_themselves() -> None:
    plain, inner, hosted = Uninstrumented(), Catalogue(ScriptedModel()), HostedTools(max_rounds=2)
    assert plain.models(inner) is inner
    assert plain.tools(hosted, RequestContext()) is hosted
    assert isinstance(plain.execution({"traceparent": "x"}), Unobserved)
