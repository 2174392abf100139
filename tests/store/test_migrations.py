import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from antiphon.errors import StoreUnavailable
from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.migrations import MIGRATIONS, migrate
from antiphon.store.tables import metadata
from tests.corpus.test_v0_1_0 import DATA
from tests.store.conftest import Run
from tests.store.samples import ME, respond


def m002_notes(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE notes (id TEXT PRIMARY KEY)"))


def m003_first_note(connection: Connection) -> None:
    connection.execute(text("INSERT INTO notes (id) VALUES ('first')"))


LATER = (*MIGRATIONS, m002_notes, m003_first_note)


def test_a_new_database_has_all_tables(new_url: str) -> None:
    engine = open_engine(new_url).writing
    with engine.begin() as connection:
        migrate(connection, MIGRATIONS)
        assert set(inspect(connection).get_table_names()) >= set(metadata.tables)
        applied = connection.execute(text("SELECT name FROM schema_version")).scalars().all()
    engine.dispose()
    assert applied == [migration.__name__ for migration in MIGRATIONS]


def test_the_migrations_are_in_the_order_of_their_numbers() -> None:
    numbers = [int(migration.__name__[1:4]) for migration in MIGRATIONS]
    assert numbers == sorted(set(numbers))


def test_D7_later_migrations_run_once_and_in_order(new_url: str, run: Run) -> None:
    async def keep() -> None:
        store = await Store.open(new_url)
        await respond(store, "resp_1", ["a"], ["b"])
        await store.close()

    run(keep())
    engine = open_engine(new_url).writing
    for _ in range(2):
        with engine.begin() as connection:
            migrate(connection, LATER)
            assert connection.execute(text("SELECT id FROM notes")).scalars().all() == ["first"]
            assert connection.execute(text("SELECT count(*) FROM items")).scalar() == 2
    engine.dispose()


def test_a_newer_database_is_refused(new_url: str, run: Run) -> None:
    async def scenario() -> None:
        await (await Store.open(new_url)).close()
        engine = open_engine(new_url).writing
        with engine.begin() as connection:
            migrate(connection, LATER)
        engine.dispose()
        with pytest.raises(StoreUnavailable, match=r"newer version .*m002_notes, m003_first_note"):
            await Store.open(new_url)

    run(scenario())


def test_servers_may_start_together(new_url: str, run: Run) -> None:
    async def scenario() -> None:
        stores = await asyncio.gather(*[Store.open(new_url) for _ in range(4)])
        await respond(stores[0], "resp_1", ["a"], [])
        for store in stores:
            assert await store.responses.get(ME, "resp_1") is not None
            await store.close()

    run(scenario())


MIGRATE = """
import sys
from sqlalchemy import text
from antiphon.store.connect import open_engine
from antiphon.store.migrations import migrate
from antiphon.store.migrations import MIGRATIONS

def m900_notes(connection):
    connection.execute(text("CREATE TABLE notes (id TEXT PRIMARY KEY)"))

def m901_slow(connection):
    print("migrating", flush=True)
    sys.stdin.readline()

engine = open_engine(sys.argv[1]).writing
print("ready", flush=True)
sys.stdin.readline()
with engine.begin() as connection:
    found = migrate(connection, (*MIGRATIONS, m900_notes, m901_slow))
print(*found, flush=True)
engine.dispose()
"""


def test_of_two_processes_one_migrates_and_the_other_waits(new_url: str) -> None:
    engine = open_engine(new_url).writing
    with engine.begin() as connection:
        migrate(connection, MIGRATIONS)
    engine.dispose()
    with process(MIGRATE, new_url) as one, process(MIGRATE, new_url) as other:
        for each in (one, other):
            assert line_of(each) == "ready"
        say(one)
        assert line_of(one) == "migrating"
        say(other)  # It waits for the lock, or else it would fail: the tables exist already.
        say(one)
        assert line_of(one) == "m900_notes m901_slow"
        assert other.communicate(timeout=50) == ("\n", "")
        assert one.communicate(timeout=50) == ("", "")


@contextmanager
def process(script: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script in another process until the block ends."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-W", "error", "-c", script, url]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def line_of(started: subprocess.Popen[str]) -> str:
    """Return the next line that the process prints."""
    assert started.stdout is not None
    return started.stdout.readline().strip()


def say(started: subprocess.Popen[str]) -> None:
    """Send an empty line to the process."""
    assert started.stdin is not None
    started.stdin.write("\n")
    started.stdin.flush()


def test_D7_a_migrated_database_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    """From 0.1.0, whose database SQLite wrote. Only the order of columns may differ."""

    def schema_of(name: str) -> tuple[object, ...]:
        engine = open_engine(str(tmp_path / name)).writing
        with engine.begin() as connection:
            migrate(connection, MIGRATIONS)
            inspector = inspect(connection)
            tables = sorted(inspector.get_table_names())
            columns = {
                (table, column["name"], str(column["type"]), column["nullable"], column["default"])
                for table in tables
                for column in inspector.get_columns(table)
            }
            others = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"
            found = {
                (name, table, " ".join((sql or "").replace("IF NOT EXISTS ", "").split()))
                for name, table, sql in connection.execute(text(others))
            }
        engine.dispose()
        return tables, columns, found

    shutil.copy(DATA / "antiphon.db", tmp_path / "old.db")
    assert schema_of("old.db") == schema_of("new.db")
