"""Removal of objects by age, and what is kept because it is in use."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest
from sqlalchemy import Connection, text

from antiphon.store import Store
from antiphon.store.batches.rows import BatchLimits, NewBatch
from antiphon.store.connect import open_engine
from antiphon.store.log.rows import NewLogEntry
from antiphon.store.responses import removal
from antiphon.store.retention import records
from antiphon.store.retention.expired import ExpiringKind
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.file_samples import attach, file
from tests.store.runs.samples import claimed, ending, numbers_after, submit
from tests.store.samples import (
    ME,
    begin_in,
    bodies,
    body,
    converse,
    count_rows,
    finished,
    item,
    new_response,
    respond,
    seen_in,
    status_of,
)
from tests.support.tables import empty_tables

R = TypeVar("R")

DAY = 86_400.0
AGE = 30 * DAY


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 100 * DAY

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(open_store: OpenStore, clock: Clock) -> Store:
    return open_store(clock=clock)


async def removed(store: Store, kind: ExpiringKind) -> list[str]:
    """Remove what is older than 30 days, whose number must be as counted; return the IDs."""
    counted = await store.expiry.count(kind, AGE)
    found = [each async for some in store.expiry.remove(kind, AGE) for each in some]
    assert len(found) == counted
    assert await store.expiry.count(kind, AGE) == 0
    await store.deletions.remove_all()
    return found


async def respond_at(
    store: Store, response_id: str, at: float, previous: str | None = None, owner: str = ME
) -> None:
    """Store a whole response that was created at a time, with an item in and an item out."""
    new = new_response(response_id, f"in_{response_id}", previous=previous, at=at)
    await store.pending.begin(owner, new)
    await store.pending.finish(owner, finished(response_id, f"out_{response_id}"))


def test_old_responses_of_all_owners_go_with_their_items(
    store: Store, url: str, run: Run, clock: Clock
) -> None:
    async def scenario() -> None:
        for owner in ("a", "b", "c"):
            await respond_at(store, f"old_{owner}", clock.now - AGE - 1, owner=owner)
            await respond_at(store, f"young_{owner}", clock.now - AGE + 1, owner=owner)
        assert sorted(await removed(store, "responses")) == ["old_a", "old_b", "old_c"]
        for owner in ("a", "b", "c"):
            assert await store.responses.get(owner, f"old_{owner}") is None
            assert await store.responses.get(owner, f"young_{owner}") is not None

    run(scenario())
    rows = count_rows(url)
    assert (rows["responses"], rows["items"], rows["response_items"]) == (3, 6, 6)


def test_a_chain_goes_as_a_whole_once_its_last_response_is_old(store: Store, run: Run, clock: Clock) -> None:
    async def scenario() -> None:
        old = clock.now - AGE
        await respond_at(store, "r1", old - 3)
        await respond_at(store, "r2", old - 2, previous="r1")
        await respond_at(store, "r3", old + 5, previous="r2")
        await respond_at(store, "branch", old - 1, previous="r1")
        assert await removed(store, "responses") == ["branch"]
        history = await store.responses.history(ME, "r3")
        assert history.bodies == bodies("in_r1", "out_r1", "in_r2", "out_r2", "in_r3", "out_r3")
        clock.now += 10
        assert await removed(store, "responses") == ["r3", "r2", "r1"]

    run(scenario())


def test_a_response_that_runs_stays(store: Store, run: Run, clock: Clock) -> None:
    async def scenario() -> None:
        await store.pending.begin(ME, new_response("runs", "a", at=1.0))
        assert await store.responses.get(ME, "runs") is not None  # It is stored from here on.
        assert await removed(store, "responses") == []
        await store.pending.finish(ME, finished("runs", "b"))
        assert await removed(store, "responses") == ["runs"]

    run(scenario())


def test_a_large_response_is_hidden_at_once(
    store: Store, url: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "_SLICE", 2)

    async def scenario() -> None:
        await respond(store, "large", ["a", "b", "c"], ["d"])
        found = [each async for some in store.expiry.remove("responses", AGE) for each in some]
        assert found == ["large"]
        assert await store.responses.get(ME, "large") is None
        await store.deletions.remove_all()

    run(scenario())
    assert count_rows(url)["items"] == 0


@pytest.mark.parametrize(("budget", "expected"), [(0.0, 9), (60.0, 3)], ids=["slow", "fast"])
def test_other_writes_go_between_the_transactions(
    store: Store, run: Run, clock: Clock, monkeypatch: pytest.MonkeyPatch, budget: float, expected: int
) -> None:
    monkeypatch.setattr(records, "_BUDGET", budget)
    monkeypatch.setattr(records, "_FOUND", 1)

    async def scenario() -> None:
        for chain in range(3):
            previous = None
            for number in range(3):
                await respond_at(store, f"resp_{chain}{number}", number, previous)
                previous = f"resp_{chain}{number}"
        slices = 0
        async for _ in store.expiry.remove("responses", AGE):
            slices += 1
            await respond_at(store, f"between_{slices}", clock.now)
        assert slices == expected
        left = (await store.responses.list(ME, PageQuery())).responses
        assert {each.id for each in left} == {f"between_{number + 1}" for number in range(slices)}

    run(scenario())


def test_a_conversation_goes_when_it_was_not_used_for_long(
    store: Store, url: str, run: Run, clock: Clock
) -> None:
    async def scenario() -> None:
        clock.now = 1.0
        for name in ("old", "asked", "added", "locked"):
            await converse(store, name, f"a_{name}")
        await begin_in(store, "locked", "runs", "b")
        clock.now = 100 * DAY
        await begin_in(store, "asked", "resp", "c")
        await store.pending.finish(ME, finished("resp", "d"))
        await store.conversations.add_items(ME, "added", [item("e")], ["e"])
        assert await removed(store, "conversations") == ["old"]
        assert await store.conversations.get(ME, "old") is None
        assert await store.items.find(ME, ["a_old"]) == {}
        assert await seen_in(store, "asked") == ["a_asked", "c", "d"]
        await store.pending.finish(ME, finished("runs"))
        clock.now += AGE + 1
        assert sorted(await removed(store, "conversations")) == ["added", "asked", "locked"]
        # Like after a deletion by a client, responses keep their history.
        history = await store.responses.history(ME, "resp")
        assert history.bodies == bodies("a_asked", "c", "d")

    run(scenario())


def test_the_events_of_a_response_go_and_the_response_stays(
    store: Store, url: str, run: Run, clock: Clock
) -> None:
    async def scenario() -> None:
        for name in ("ended", "runs"):
            await submit(store, name)
            execution = await claimed(store)
            if name == "ended":
                await store.runs.end(ending(execution, 2, "out"))
        await submit(store, "queued")
        assert await removed(store, "event_logs") == ["ended"]
        assert await store.runs.events_after("ended", -1) is None
        assert await status_of(store, "ended") == "completed"
        assert await numbers_after(store, "runs") == [0, 1]

    run(scenario())
    assert count_rows(url)["run_events"] == 2


def test_a_request_without_a_stored_response_leaves_the_log_at_its_age(
    store: Store, url: str, run: Run, clock: Clock
) -> None:
    async def scenario() -> None:
        old, young = clock.now - AGE - 1, clock.now - AGE + 1
        for name, at in (("req_old", old), ("req_young", young)):
            await store.log.add(
                NewLogEntry(
                    id=name,
                    kind="refused",
                    owner=ME,
                    key_name=None,
                    created_at=at,
                    status="refused",
                    model="m",
                    summary="[]",
                )
            )
        assert await removed(store, "log_entries") == ["req_old"]

    run(scenario())
    assert count_rows(url)["log_entries"] == 1


def test_the_age_of_events_begins_with_the_end_of_the_response(store: Store, run: Run, clock: Clock) -> None:
    async def scenario() -> None:
        await submit(store, "slow", at=clock.now - AGE - DAY)
        end = ending(await claimed(store), 2)
        await store.runs.end(
            msgspec.structs.replace(
                end, finished=msgspec.structs.replace(end.finished, completed_at=clock.now - DAY)
            )
        )
        assert await removed(store, "event_logs") == []
        clock.now += AGE
        assert await removed(store, "event_logs") == ["slow"]

    run(scenario())


def test_files_in_vector_stores_stay(store: Store, run: Run, clock: Clock) -> None:
    async def scenario() -> None:
        await store.files.add("other", file("loose"))
        await store.files.add(ME, file("young", at=clock.now))
        await attach(store, "vs", "attached", "detached")
        await store.attachments.detach("vs", "detached")
        assert sorted(await removed(store, "files")) == ["detached", "loose"]
        await store.vector_stores.delete(ME, "vs")
        assert await removed(store, "files") == ["attached"]

    run(scenario())


def test_the_input_of_a_batch_stays_until_its_end(store: Store, run: Run, clock: Clock) -> None:
    async def scenario() -> None:
        for owner in (ME, "other"):
            await store.files.add(owner, file(f"input-{owner}"))
        body = f'{{"input_file_id":"input-{ME}"}}'
        new = NewBatch(
            id="batch", created_at=clock.now, seconds=60, body=body, context="{}", output_seconds=None
        )
        await store.batches.submit(ME, new)
        assert await removed(store, "files") == ["input-other"]
        await store._database.write(lambda c: c.execute(text("UPDATE batches SET state = 'ended'")))
        assert await removed(store, "files") == [f"input-{ME}"]

    run(scenario())


def test_batches_of_all_owners_go_once_they_have_ended(
    store: Store, url: str, run: Run, clock: Clock
) -> None:
    async def scenario() -> None:
        for owner in ("a", "b"):
            for name, at in (("old", clock.now - AGE - 1), ("young", clock.now)):
                new = NewBatch(
                    id=f"{name}_{owner}",
                    created_at=at,
                    seconds=60,
                    body="{}",
                    context="{}",
                    output_seconds=None,
                )
                await store.batches.submit(owner, new)
        assert await removed(store, "batches") == []
        while (batch := await store.batches.claim([], BatchLimits())) is not None:
            await store.batches.close(batch)
        assert await removed(store, "batches") == ["old_a", "old_b"]

    run(scenario())
    assert count_rows(url)["batches"] == 2


def test_what_is_used_after_it_was_found_stays(store: Store, run: Run, clock: Clock) -> None:
    """Between the query and the removal, a client continues the response."""

    async def scenario() -> None:
        await respond_at(store, "r1", 1.0)
        await respond_at(store, "r2", 2.0)
        read = store._database.read
        begun: list[bool] = []

        async def read_and_continue(query: Callable[[Connection], R]) -> R:
            found = await read(query)
            if not begun:
                begun.append(True)
                await respond_at(store, "r3", clock.now, previous="r1")
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store._database, "read", read_and_continue)
            found = [each async for some in store.expiry.remove("responses", AGE) for each in some]
        assert found == ["r2"]
        assert (await store.responses.history(ME, "r3")).bodies[0] == body("in_r1")

    run(scenario())


def test_one_server_at_a_time_removes(postgresql_tables: str, run: Run, clock: Clock) -> None:
    empty_tables(postgresql_tables)
    engine = open_engine(postgresql_tables).writing

    async def scenario() -> None:
        store = await Store.open(postgresql_tables, clock=clock)
        await respond_at(store, "r1", 1.0)
        with engine.begin() as other:
            other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": records._LOCK})
            assert [each async for each in store.expiry.remove("responses", AGE)] == []
        assert await removed(store, "responses") == ["r1"]
        await store.close()

    run(scenario())
    engine.dispose()
