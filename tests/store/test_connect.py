import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Pool, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from antiphon.errors import ConfigError, StoreUnavailable
from antiphon.store import Store
from antiphon.store.connect import Synchronous, explain, open_engine, size_in_bytes
from antiphon.store.database import Database
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME, respond


async def refusal(url: str) -> str:
    """Return the error message of a store that can't be opened."""
    with pytest.raises(StoreUnavailable) as caught:
        await Store.open(url)
    return caught.value.message


@pytest.mark.parametrize("form", ["sqlite:///{}", "{}"])
def test_a_file_in_a_new_folder(tmp_path: Path, run: Run, form: str) -> None:
    file = tmp_path / "data" / "state.db"

    async def scenario() -> None:
        store = await Store.open(form.format(file))
        await respond(store, "resp_1", ["a"], ["b"])
        assert store.location == str(file)
        size = await store.size()
        await store.close()
        assert file.stat().st_size == size
        again = await Store.open(form.format(file))
        assert await again.responses.get(ME, "resp_1") is not None
        await again.close()

    run(scenario())
    assert [found.name for found in file.parent.iterdir()] == ["state.db"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_other_users_cannot_read_a_new_database(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "data"
    before = os.umask(0)
    try:

        async def scenario() -> dict[str, int]:
            store = await Store.open(str(folder / "state.db"))
            await respond(store, "resp_1", ["a"], ["b"])
            modes = {found.name: found.stat().st_mode & 0o777 for found in folder.iterdir()}
            await store.close()
            return modes

        modes = run(scenario())
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_an_operator_may_share_an_existing_database(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "state.db"
    file.touch()
    file.chmod(0o660)

    async def scenario() -> None:
        await (await Store.open(str(file))).close()

    run(scenario())
    assert file.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("url", [":memory:", "sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory(run: Run, url: str) -> None:
    async def scenario() -> None:
        store = await Store.open(url)
        await asyncio.gather(*[respond(store, f"resp_{n}", [f"a{n}"], [f"b{n}"]) for n in range(20)])
        assert len((await store.responses.list(ME, PageQuery())).responses) == 20
        assert store.location == ":memory:"
        assert await store.size() > 0
        await store.close()

    run(scenario())


@pytest.mark.parametrize(("synchronous", "number"), [("full", 2), ("normal", 1)])
def test_sqlite_settings(tmp_path: Path, synchronous: Synchronous, number: int) -> None:
    opened = open_engine(str(tmp_path / "state.db"), synchronous)
    with opened.reading.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    opened.reading.dispose()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": number,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_the_size_of_any_database(open_store: OpenStore, run: Run) -> None:
    assert run(open_store().size()) > 10_000


@pytest.mark.parametrize(
    "url", ["mysql://root:secret@host/db", "http://secret@host", "postgresql+:://secret"]
)
def test_a_url_of_another_kind(run: Run, url: str) -> None:
    with pytest.raises(ConfigError, match=r"Use sqlite:///path/to/file\.db or postgresql") as caught:
        run(Store.open(url))
    assert "secret" not in str(caught.value)


def test_D6_a_file_that_is_no_database(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are only notes. " * 100)
    assert run(refusal(str(file))) == f"{file}: The database is not an SQLite database (or it is encrypted)."


def test_D6_a_damaged_file(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "state.db"

    async def fill() -> None:
        store = await Store.open(str(file))
        await asyncio.gather(*[respond(store, f"resp_{n}", [f"a{n}"], []) for n in range(100)])
        await store.close()

    run(fill())
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    assert "The database is damaged." in run(refusal(str(file)))


def test_a_folder_in_place_of_a_file(tmp_path: Path, run: Run) -> None:
    assert "cannot be opened" in run(refusal(str(tmp_path)))


def test_a_folder_that_cannot_be_made(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").touch()
    assert "cannot be created" in run(refusal(str(tmp_path / "file" / "state.db")))


def test_D5_a_read_only_database(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "state.db"

    async def create() -> None:
        await (await Store.open(str(file))).close()

    run(create())
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as caught:
        connection.execute(text("DELETE FROM items"))
    engine.dispose()
    explained = explain(caught.value)
    assert isinstance(explained, StoreUnavailable)
    assert explained.message.startswith("The database is read-only.")


@contextmanager
def small_disk() -> Iterator[None]:
    """Let SQLite files grow by 20 pages at most."""

    def limit(connection: sqlite3.Connection, _: object) -> None:
        [[pages]] = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages + 20}")

    event.listen(Pool, "connect", limit)
    try:
        yield
    finally:
        event.remove(Pool, "connect", limit)


def test_D3_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path, run: Run) -> None:
    file = str(tmp_path / "state.db")

    async def check(store: Store, stored: int) -> None:
        for number in range(stored):
            found = await store.responses.get(ME, f"resp_{number}")
            assert found is not None
            assert found.status == "completed"

    async def fill() -> int:
        store = await Store.open(file)
        stored: list[int] = []

        async def respond_forever() -> None:
            for number in count():
                await respond(store, f"resp_{number}", [f"in_{number}"], [f"out_{number}_{'x' * 1000}"])
                stored.append(number)

        with pytest.raises(StoreUnavailable, match="cannot grow: the disk is full"):
            await respond_forever()
        await check(store, len(stored))
        with suppress(StoreUnavailable):  # Its last write may find no space either.
            await store.close()
        return len(stored)

    async def scenario() -> None:
        await (await Store.open(file)).close()
        with small_disk():
            stored = await fill()
        assert stored > 3
        store = await Store.open(file)
        await store.servers.recover(0)
        await check(store, stored)
        failed = await store.responses.get(ME, f"resp_{stored}")
        assert failed is None or failed.status == "failed"
        await respond(store, "resp_later", ["in_later"], ["out_later"])
        await store.close()

    run(scenario())


def test_a_postgresql_that_is_not_there(tmp_path: Path, run: Run) -> None:
    message = run(refusal(f"postgresql://user:secret@/db?host={tmp_path}"))
    assert message.startswith("postgresql:///db: The database is not available. connection")
    assert "secret" not in message


@pytest.mark.parametrize(
    "place", ["user:secret@127.0.0.1:1/db", "user:secret@/db?host=/nowhere"], ids=["TCP", "socket"]
)
def test_clients_do_not_see_where_the_database_is(
    run: Run, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    async def scenario() -> None:
        database = Database(open_engine(f"postgresql://{place}"))
        for attempt in (database.read(size_in_bytes), database.write(size_in_bytes)):
            with pytest.raises(StoreUnavailable) as caught:
                await attempt
            assert caught.value.message == (
                "The database is not available. The details are in the server's log."
            )
        await database.close()

    run(scenario())
    assert len(caplog.messages) == 2
    assert all(line.startswith("Failed to use the database: connection") for line in caplog.messages)
    assert "secret" not in caplog.text


def test_the_location_keeps_secrets() -> None:
    opened = open_engine("postgres://user:secret@host.example:5432/antiphon?password=secret")
    assert opened.location == "postgresql://host.example/antiphon"
    opened.writing.dispose()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_deleted_file_is_an_error_and_no_other_file_is_written(
    tmp_path: Path, run: Run, replaced: bool
) -> None:
    """SQLite would go on without an error, and everything would be lost at the next start."""
    file = tmp_path / "state.db"

    async def scenario() -> None:
        store = await Store.open(str(file))
        await respond(store, "resp_1", ["a"], ["b"])
        saved = tmp_path / "saved.db"
        file.rename(saved)
        if replaced:
            file.touch()
        for attempt in (
            respond(store, "resp_2", ["c"], ["d"]),
            store.responses.get(ME, "resp_1"),
            store.servers.heartbeat(),
        ):
            with pytest.raises(StoreUnavailable, match="file of the database was deleted or replaced"):
                await attempt
        assert file.exists() == replaced
        file.unlink(missing_ok=True)
        saved.rename(file)
        assert await store.responses.get(ME, "resp_1") is not None
        await respond(store, "resp_3", ["e"], ["f"])
        await store.close()

    run(scenario())


def test_a_file_may_be_a_link(tmp_path: Path, run: Run) -> None:
    (tmp_path / "state.db").symlink_to(tmp_path / "real.db")

    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "state.db"))
        await respond(store, "resp_1", ["a"], ["b"])
        await store.close()

    run(scenario())
    assert (tmp_path / "real.db").stat().st_size > 0
    if os.name != "nt":
        assert (tmp_path / "real.db").stat().st_mode & 0o777 == 0o600
