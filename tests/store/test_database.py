import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, event, insert, select, text

from antiphon.errors import AntiphonError, InvalidRequest, StoreUnavailable
from antiphon.store import database as database_module
from antiphon.store.connect import open_engine
from antiphon.store.database import Database
from tests.store.conftest import Run

notes = Table("notes", MetaData(), Column("word", Text, primary_key=True))


@pytest.fixture
def database(new_url: str, run: Run) -> Iterator[Database]:
    async def start() -> Database:
        database = Database(open_engine(new_url))
        await database.write(notes.create)
        return database

    database = run(start())
    yield database
    run(database.close())


def write_words(connection: Connection, words: list[str]) -> None:
    connection.execute(insert(notes), [{"word": word} for word in words])


def read_words(connection: Connection) -> list[str]:
    return sorted(connection.execute(select(notes.c.word)).scalars())


@contextmanager
def counting(name: str) -> Iterator[list[object]]:
    """Collect every event of this name from any engine."""
    seen: list[object] = []

    def note(*arguments: object) -> None:
        seen.append(arguments)

    event.listen(Engine, name, note)
    try:
        yield seen
    finally:
        event.remove(Engine, name, note)


def test_writes_that_wait_share_a_transaction_and_a_statement(database: Database, run: Run) -> None:
    words = [f"word {number:03}" for number in range(200)]

    async def scenario() -> None:
        await asyncio.gather(*[database.enqueue(write_words, word).future for word in words])

    with counting("commit") as commits, counting("before_cursor_execute") as statements:
        run(scenario())
    assert len(commits) == 1
    assert len([found for found in statements if "INSERT" in str(found)]) == 1
    assert run(database.read(read_words)) == words


def test_patient_writes_go_with_the_next_one_that_is_not(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_PATIENCE", 3600.0)

    async def scenario() -> None:
        patient = [database.enqueue(write_words, word, patient=True) for word in ("first", "second")]
        await asyncio.sleep(0)
        await database.write(read_words)
        assert all(job.future.done() for job in patient)

    with counting("commit") as commits:
        run(scenario())
    assert len(commits) == 1
    assert run(database.read(read_words)) == ["first", "second"]


def test_a_patient_write_to_which_no_other_comes_is_made_all_the_same(database: Database, run: Run) -> None:
    async def scenario() -> None:
        await database.enqueue(write_words, "alone", patient=True).future

    run(scenario())
    assert run(database.read(read_words)) == ["alone"]


def test_writes_that_come_during_a_commit_join_the_next(database: Database, run: Run) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        write_words(connection, ["first"])
        entered.set()
        assert leave.wait(10)

    async def scenario() -> None:
        first = asyncio.create_task(database.write(hold))
        await asyncio.to_thread(entered.wait, 10)
        later = [database.enqueue(write_words, f"word {number}").future for number in range(50)]
        leave.set()
        await asyncio.gather(first, *later)

    with counting("commit") as commits:
        run(scenario())
    assert len(commits) == 2


def test_the_guilty_one_fails_alone(database: Database, run: Run) -> None:
    async def scenario() -> list[object]:
        await database.enqueue(write_words, "taken").future
        words = ["a", "b", "taken", "c"]
        jobs = [database.enqueue(write_words, word).future for word in words]
        return list(await asyncio.gather(*jobs, return_exceptions=True))

    outcome = run(scenario())
    assert [type(found) for found in outcome] == [type(None), type(None), AntiphonError, type(None)]
    assert run(database.read(read_words)) == ["a", "b", "c", "taken"]


def test_a_defect_in_one_write_harms_no_other(database: Database, run: Run) -> None:
    def defect(connection: Connection) -> None:
        write_words(connection, ["half"])
        raise ZeroDivisionError

    async def scenario() -> None:
        good = database.enqueue(write_words, "good").future
        with pytest.raises(ZeroDivisionError):
            await database.write(defect)
        await good
        await database.enqueue(write_words, "later").future

    run(scenario())
    assert run(database.read(read_words)) == ["good", "later"]


def test_lower_ranks_go_first(database: Database, run: Run) -> None:
    order: list[str] = []

    def note(_: Connection, names: list[str]) -> None:
        order.extend(names)

    async def scenario() -> None:
        jobs = [
            database.enqueue(note, "last"),
            database.enqueue(note, "second", rank=1),
            database.enqueue(note, "first", rank=0),
            database.enqueue(note, "also second", rank=1),
        ]
        await asyncio.gather(*[job.future for job in jobs])

    run(scenario())
    assert order == ["first", "second", "also second", "last"]


def test_a_write_fails_with_the_one_it_follows(database: Database, run: Run) -> None:
    async def scenario() -> None:
        await database.enqueue(write_words, "taken").future
        first = database.enqueue(write_words, "taken", rank=0)
        second = database.enqueue(write_words, "second", rank=1, after=first)
        good = database.enqueue(write_words, "good")
        outcome = await asyncio.gather(first.future, second.future, good.future, return_exceptions=True)
        assert isinstance(outcome[0], AntiphonError)
        assert outcome[1] is outcome[0]
        assert outcome[2] is None
        third = database.enqueue(write_words, "third", after=second)
        with pytest.raises(AntiphonError):
            await third.future

    run(scenario())
    assert run(database.read(read_words)) == ["good", "taken"]


def test_a_write_stands_when_its_caller_goes(database: Database, run: Run) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(database.write(lambda connection: write_words(connection, ["kept"])))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await database.enqueue(write_words, "later").future

    run(scenario())
    assert run(database.read(read_words)) == ["kept", "later"]


def test_a_failure_that_nobody_waits_for_is_logged(
    database: Database, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        await database.enqueue(write_words, "taken").future
        database.enqueue(write_words, "taken").future.cancel()
        await database.enqueue(write_words, "later").future

    with caplog.at_level(logging.ERROR, "antiphon.store.database"):
        run(scenario())
    assert "Write failed after its request was cancelled" in caplog.text


def test_reading_sees_one_state(database: Database, run: Run) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read_twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = read_words(connection)
        begun.set()
        assert go_on.wait(10)
        return before, read_words(connection)

    async def scenario() -> None:
        reading = asyncio.create_task(database.read(read_twice))
        await asyncio.to_thread(begun.wait, 10)
        await database.enqueue(write_words, "new").future  # A reader doesn't delay the writer.
        go_on.set()
        assert await reading == ([], [])
        assert await database.read(read_words) == ["new"]

    run(scenario())


def test_the_event_loop_goes_on_during_queries(database: Database, run: Run) -> None:
    leave = threading.Event()

    def hold(_: Connection) -> bool:
        return leave.wait(10)

    async def scenario() -> None:
        working = [asyncio.create_task(database.write(hold)), asyncio.create_task(database.read(hold))]
        for _ in range(10):
            await asyncio.sleep(0)
        assert not any(task.done() for task in working)
        leave.set()
        assert await asyncio.gather(*working) == [True, True]

    run(scenario())


def test_an_error_in_reading_shows_no_details(
    database: Database, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(connection: Connection) -> None:
        connection.execute(text("SELECT word FROM nowhere WHERE word = :word"), {"word": "secret"})

    async def scenario() -> None:
        with pytest.raises(StoreUnavailable, match="The database is not available") as caught:
            await database.read(wrong)
        assert "nowhere" not in caught.value.message
        assert "nowhere" in caplog.text
        assert "secret" not in f"{caught.value}{caught.value.__cause__}{caplog.text}"
        assert await database.read(read_words) == []

    run(scenario())


def test_close_commits_what_waits_and_ends_all_threads(new_url: str, run: Run) -> None:
    async def scenario() -> None:
        before = threading.active_count()
        database = Database(open_engine(new_url))
        await database.write(notes.create)
        await database.read(read_words)
        jobs = [database.enqueue(write_words, f"word {number}").future for number in range(1000)]
        await database.close()
        assert all(job.done() and job.exception() is None for job in jobs)
        for thread in threading.enumerate():
            assert not thread.name.startswith("antiphon-")
        assert threading.active_count() <= before + 1  # asyncio's own helper thread
        with pytest.raises(StoreUnavailable, match="closed"):
            database.enqueue(write_words, "late")
        with pytest.raises(StoreUnavailable, match="closed"):
            await database.read(read_words)

    run(scenario())


def test_a_value_that_cannot_be_stored_is_the_callers_fault(postgresql: str, run: Run) -> None:
    async def scenario() -> None:
        database = Database(open_engine(postgresql))
        with pytest.raises(InvalidRequest, match="cannot be stored"):
            await database.read(lambda connection: connection.execute(select(text(":w")), {"w": "a\0b"}))
        await database.close()

    run(scenario())


def test_a_lost_connection_costs_one_group(postgresql: str, run: Run) -> None:
    runs: list[str] = []

    def hang_up(connection: Connection) -> None:
        runs.append("hang up")
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    async def scenario() -> None:
        database = Database(open_engine(postgresql))
        outcome = await asyncio.gather(
            database.write(hang_up), database.write(lambda _: None), return_exceptions=True
        )
        # A group isn't repeated after its connection broke, because it may have been committed.
        assert [type(found) for found in outcome] == [StoreUnavailable, StoreUnavailable]
        assert runs == ["hang up"]
        assert await database.write(lambda connection: connection.execute(text("SELECT 7")).scalar()) == 7
        await database.close()

    run(scenario())


def test_D4_a_database_that_stays_locked_is_tried_once(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.store.connect._PATIENCE", 0.01)
    path = str(tmp_path / "state.db")

    async def scenario() -> None:
        database = Database(open_engine(path))
        await database.write(notes.create)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with counting("before_cursor_execute") as begins:
            jobs = [database.enqueue(write_words, f"word {number}").future for number in range(20)]
            outcome = await asyncio.gather(*jobs, return_exceptions=True)
        assert {type(found) for found in outcome} == {StoreUnavailable}
        assert "is locked by another process" in str(outcome[0])
        assert len(begins) == 1
        other.close()
        await database.enqueue(write_words, "now").future
        assert await database.read(read_words) == ["now"]
        await database.close()

    run(scenario())


def test_maintenance_takes_no_transaction_and_ends_when_it_is_cancelled(postgresql: str, run: Run) -> None:
    ended = threading.Event()
    sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(50)' AND state = 'active'"

    def sleep(connection: Connection) -> None:
        try:
            connection.execute(text("SELECT pg_sleep(50)"))
        finally:
            ended.set()

    async def scenario() -> None:
        database = Database(open_engine(postgresql))
        await database.maintain(lambda c: c.execute(text("VACUUM pg_catalog.pg_am")).close())
        running = asyncio.create_task(database.maintain(sleep))
        while await database.read(lambda c: c.execute(text(sleeps)).scalar()) != 1:
            pass
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert ended.is_set()
        await database.close()

    run(scenario())
