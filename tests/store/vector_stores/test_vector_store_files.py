import pytest

from antiphon.store import Store
from antiphon.store.errors import AttachedFileNotFound, FileBatchNotFound, ObjectNotFound
from antiphon.store.vector_stores.rows import NamedFile, Unread
from antiphon.wire.lists import PageQuery
from antiphon.wire.vector_stores import FileCounts, FileStatus
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import attach, attachment, file
from tests.store.samples import ME


def test_an_attached_file_is_in_progress_and_then_completed(store: Store, run: Run) -> None:
    async def scenario() -> None:
        (attached,) = await attach(store, "vs_1", "file-1")
        assert await store.attachments.get("vs_1", "file-1") == attached
        assert (attached.status, attached.usage_bytes) == ("in_progress", 0)
        assert await store.attachments.is_wanted(attached)
        await store.attachments.finish(attached, 42)
        done = await store.attachments.get("vs_1", "file-1")
        assert (done.status, done.usage_bytes, done.error_code) == ("completed", 42, None)
        assert not await store.attachments.is_wanted(attached)

    run(scenario())


def test_a_failed_file_says_why(store: Store, run: Run) -> None:
    async def scenario() -> None:
        (attached,) = await attach(store, "vs_1", "file-1")
        await store.attachments.finish(attached, Unread("invalid_file", "It is empty."))
        failed = await store.attachments.get("vs_1", "file-1")
        assert (failed.status, failed.error_code, failed.error_message) == (
            "failed",
            "invalid_file",
            "It is empty.",
        )

    run(scenario())


def test_an_earlier_ingestion_is_ignored_once_the_file_is_attached_again(store: Store, run: Run) -> None:
    async def scenario() -> None:
        (first,) = await attach(store, "vs_1", "file-1")
        (second,) = await attach(store, "vs_1", "file-1")
        assert not await store.attachments.is_wanted(first)
        await store.attachments.finish(first, 1)
        assert await store.attachments.get("vs_1", "file-1") == second
        await store.attachments.finish(second, 2)
        assert (await store.attachments.get("vs_1", "file-1")).usage_bytes == 2

    run(scenario())


def test_a_detached_file_is_not_there(store: Store, run: Run) -> None:
    async def scenario() -> None:
        (attached,) = await attach(store, "vs_1", "file-1")
        assert await store.attachments.detach("vs_1", "file-1")
        assert not await store.attachments.detach("vs_1", "file-1")
        await store.attachments.finish(attached, 1)
        with pytest.raises(AttachedFileNotFound, match="'file-1' in vector store 'vs_1'"):
            await store.attachments.get("vs_1", "file-1")
        with pytest.raises(AttachedFileNotFound):
            await store.attachments.set_attributes("vs_1", "file-1", "{}")

    run(scenario())


def test_a_store_that_is_gone_takes_no_files(store: Store, run: Run) -> None:
    run(store.files.add(ME, file("file-1")))
    with pytest.raises(ObjectNotFound, match="Vector store"):
        run(store.attachments.attach("vs_1", [attachment("file-1")]))


def test_completed_files_are_named_with_their_attributes(store: Store, run: Run) -> None:
    async def scenario() -> None:
        first, _, third = await attach(store, "vs_1", "file-1", "file-2", "file-3")
        await store.attachments.set_attributes("vs_1", "file-1", '{"a":1}')
        await store.attachments.finish(first, 1)
        await store.attachments.finish(third, 1)
        named = NamedFile(
            vector_store_id="vs_1", file_id="file-1", filename="file-1.txt", attributes='{"a":1}'
        )
        assert await store.attachments.named(["vs_1"], ["file-1", "file-2"]) == [named]
        assert {each.file_id for each in await store.attachments.named(["vs_1"])} == {"file-1", "file-3"}
        assert await store.attachments.named(["vs_2"]) == []

    run(scenario())


def test_pages_hold_one_status_or_one_batch(store: Store, run: Run) -> None:
    async def page(status: FileStatus | None = None, batch_id: str | None = None) -> list[str]:
        query = PageQuery(order="asc")
        found = await store.attachments.page("vs_1", query, status=status, batch_id=batch_id)
        return [each.file_id for each in found.rows]

    async def scenario() -> None:
        await attach(store, "vs_1", "file-1")
        second, _ = await attach(store, "vs_1", "file-2", "file-3", batch="vsfb_1")
        await store.attachments.finish(second, 1)
        assert await page() == ["file-1", "file-2", "file-3"]
        assert await page(status="in_progress") == ["file-1", "file-3"]
        assert await page(batch_id="vsfb_1") == ["file-2", "file-3"]
        assert await page(batch_id="vsfb_1", status="completed") == ["file-2"]

    run(scenario())


def test_cancelling_a_batch_keeps_what_is_completed(store: Store, run: Run) -> None:
    async def scenario() -> None:
        first, second = await attach(store, "vs_1", "file-1", "file-2", batch="vsfb_1")
        await store.attachments.finish(first, 1)
        assert await store.attachments.cancel_batch("vs_1", "vsfb_1") == ["file-2"]
        await store.attachments.finish(second, 1)
        batch = await store.attachments.get_batch("vs_1", "vsfb_1")
        assert batch.cancelled
        assert batch.counts == FileCounts(in_progress=0, completed=1, failed=0, cancelled=1, total=2)

    run(scenario())


def test_a_batch_that_has_ended_cannot_be_cancelled(store: Store, run: Run) -> None:
    async def scenario() -> None:
        (only,) = await attach(store, "vs_1", "file-1", batch="vsfb_1")
        await store.attachments.finish(only, 1)
        assert await store.attachments.cancel_batch("vs_1", "vsfb_1") == []
        assert not (await store.attachments.get_batch("vs_1", "vsfb_1")).cancelled
        for store_id, batch_id in [("vs_1", "vsfb_2"), ("vs_2", "vsfb_1")]:
            with pytest.raises(FileBatchNotFound):
                await store.attachments.cancel_batch(store_id, batch_id)

    run(scenario())


def test_what_a_server_was_reading_when_it_died_has_failed_at_its_next_start(
    open_store: OpenStore, run: Run
) -> None:
    run(attach(open_store(server_id="one"), "vs_1", "file-1"))
    again = open_store(has_ended=lambda server_id: server_id == "one")
    failed = run(again.attachments.get("vs_1", "file-1"))
    assert (failed.status, failed.error_code) == ("failed", "server_error")
    assert "stopped" in str(failed.error_message)


def test_what_a_silent_server_was_reading_has_failed_for_the_others(open_store: OpenStore, run: Run) -> None:
    now = 1000.0
    silent, other = open_store(clock=lambda: now), open_store(clock=lambda: now)
    run(attach(silent, "vs_1", "file-1"))
    run(other.servers.recover(20.0))
    assert run(other.attachments.get("vs_1", "file-1")).status == "in_progress"
    now += 21
    run(other.servers.recover(20.0))
    assert run(other.attachments.get("vs_1", "file-1")).status == "failed"
