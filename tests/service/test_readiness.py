"""Readiness: a write to the database and the health of the backends, neither too often nor for too long."""

import asyncio
import os
import secrets
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast

import pytest
from sqlalchemy import Engine, event, make_url, text

from antiphon.engine.ports import ModelCatalogue
from antiphon.errors import StoreUnavailable
from antiphon.service import readiness
from antiphon.service.readiness import ReadinessChecks, without_messages
from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.wire.models import BackendHealth, Health

R = TypeVar("R")
FINE = BackendHealth(name="a", status="OK")
DEAD = BackendHealth(name="b", status="Error", message="cannot connect to 10.0.0.1:80: refused")


class Checked:
    """The checks of a store and scripted backends, at a time that tests set."""

    def __init__(self, store: Store, backends: list[BackendHealth]) -> None:
        self.now = 100.0
        self.asked = 0
        self.backends = backends
        catalogue = cast(ModelCatalogue, SimpleNamespace(backend_health=self._health))
        self.checks = ReadinessChecks(store, catalogue, lambda: self.now)

    async def _health(self, seconds: float) -> list[BackendHealth]:
        self.asked += 1
        return self.backends


def checked(
    url: str, work: Callable[[Checked, Store], Awaitable[R]], backends: list[BackendHealth] | None = None
) -> R:
    async def run() -> R:
        store = await Store.open(url)
        try:
            return await work(Checked(store, [FINE] if backends is None else backends), store)
        finally:
            await store.close()

    return asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


@pytest.mark.parametrize("backends", [[], [FINE], [FINE, DEAD]])
def test_a_server_is_ready_with_a_database_and_any_backend(path: str, backends: list[BackendHealth]) -> None:
    async def work(one: Checked, store: Store) -> None:
        found = await one.checks.check()
        assert (found.status, found.database, found.backends) == ("OK", Health("OK"), backends)

    checked(path, work, backends)


def test_a_server_without_a_backend_that_answers_is_not_ready(path: str) -> None:
    async def work(one: Checked, store: Store) -> None:
        found = await one.checks.check()
        assert (found.status, found.database.status) == ("Error", "OK")
        assert found.error
        assert found.error.message == "The server isn't ready: no backend answers."
        assert (found.error.type, found.error.param, found.error.code) == ("server_error", None, "not_ready")

    checked(path, work, [DEAD])


def test_clients_without_a_key_get_no_messages(path: str) -> None:
    async def work(one: Checked, store: Store) -> None:
        found = without_messages(await one.checks.check())
        assert found.backends == [FINE, BackendHealth(name="b", status="Error")]

    checked(path, work, [FINE, DEAD])


def test_a_result_is_used_for_a_second(path: str) -> None:
    async def work(one: Checked, store: Store) -> None:
        await asyncio.gather(*(one.checks.check() for _ in range(10)))
        assert one.asked == 1
        one.backends = [DEAD]
        one.now += 0.9
        assert (await one.checks.check()).status == "OK"
        one.now += 0.2
        assert (await one.checks.check()).status == "Error"
        assert one.asked == 2

    checked(path, work)


def test_a_locked_database_is_not_waited_for(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE", 0.05)

    async def work(one: Checked, store: Store) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        for _ in range(3):
            found = await one.checks.check()
            assert found.database == Health("Error", "The database hasn't executed a write for 0.05 s.")
            one.now += 2
        assert time.monotonic() - began < 5  # SQLite itself waits for 10 s.
        assert not store._database._waiting  # The one write runs; there is no other.
        other.execute("ROLLBACK")
        other.close()
        await store.servers.heartbeat()
        one.now += 2
        assert (await one.checks.check()).status == "OK"

    checked(path, work)


@contextmanager
def read_only(store: Store) -> Iterator[None]:
    engine: Engine = store._database._opened.writing

    def refuse(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        connection.execute("PRAGMA query_only = 1")

    event.listen(engine, "checkout", refuse)
    yield
    event.remove(engine, "checkout", refuse)
    engine.dispose()


def test_a_database_that_is_read_only_is_not_ready(path: str) -> None:
    async def work(one: Checked, store: Store) -> None:
        with read_only(store):
            found = await one.checks.check()
        assert found.database.status == "Error"
        assert "is read-only" in found.database.message
        assert found.error
        assert found.error.message == "The server isn't ready: the database can't be written."

    checked(path, work)


def test_a_deleted_database_is_not_ready(path: str) -> None:
    async def work(one: Checked, store: Store) -> None:
        os.unlink(path)
        found = await one.checks.check()
        assert found.database.message == (
            "The file of the database was deleted or replaced while the server ran. Stop the server, restore "
            "the file, and start the server again."
        )

    with pytest.raises(StoreUnavailable, match="deleted or replaced"):  # The store can't be closed in order.
        checked(path, work)


def test_a_database_in_memory_has_no_file(path: str) -> None:
    async def work(one: Checked, store: Store) -> None:
        assert (await one.checks.check()).status == "OK"

    checked(":memory:", work)


def test_a_dead_postgresql_is_not_ready_until_it_is_back(postgresql: str) -> None:
    name = f"test_{secrets.token_hex(8)}"
    admin = open_engine(postgresql).writing.execution_options(isolation_level="AUTOCOMMIT")

    def execute(command: str) -> None:
        with admin.connect() as connection:
            connection.execute(text(command))

    async def work(one: Checked, store: Store) -> None:
        assert (await one.checks.check()).status == "OK"
        execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        for _ in range(2):
            one.now += 2
            found = await one.checks.check()
            assert (found.status, found.database.status) == ("Error", "Error")
            assert found.database.message
        execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        one.now += 2
        assert (await one.checks.check()).status == "OK"

    execute(f"CREATE DATABASE {name}")
    try:
        checked(make_url(postgresql).set(database=name).render_as_string(hide_password=False), work)
    finally:
        execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.dispose()
