"""Stores on SQLite and on PostgreSQL; every test with `store` or `url` runs on both."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from shutil import copy
from typing import Protocol, TypeVar

import pytest

from antiphon.ids import new_id
from antiphon.store import Store
from antiphon.store.servers import Member
from tests.support.postgresql import schema
from tests.support.tables import create_tables, empty_tables

R = TypeVar("R")


class Run(Protocol):
    """Function that runs a coroutine on the test's own event loop."""

    def __call__(self, coroutine: Coroutine[object, object, R], /) -> R: ...


class OpenStore(Protocol):
    """Function that opens another store on the test's database; it is closed after the test."""

    def __call__(
        self,
        *,
        server_id: str | None = None,
        clock: Callable[[], float] = ...,
        has_ended: Callable[[str], bool] = ...,
    ) -> Store: ...


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a new database without tables: a new file, or a new schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/antiphon.db"
        return
    with schema(request.getfixturevalue("postgresql")) as own:
        yield own


@pytest.fixture(scope="session")
def postgresql_tables(postgresql: str) -> Iterator[str]:
    """Yield the URL of a schema with all tables, which tests use one after the other."""
    with schema(postgresql) as own:
        create_tables(own)
        yield own


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database with all tables and without rows."""
    if request.param == "sqlite":
        copied = copy(request.getfixturevalue("sqlite_template"), tmp_path / "antiphon.db")
        return f"sqlite:///{copied}"
    tables: str = request.getfixturevalue("postgresql_tables")
    empty_tables(tables)
    return tables


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def open_store(url: str, run: Run) -> Iterator[OpenStore]:
    opened: list[Store] = []

    def open_one(
        *,
        server_id: str | None = None,
        clock: Callable[[], float] = lambda: 1000.0,
        has_ended: Callable[[str], bool] = lambda _: False,
    ) -> Store:
        member = Member(id=server_id or new_id("server", 8), has_ended=has_ended)
        opened.append(run(Store.open(url, member=member, clock=clock)))
        return opened[-1]

    yield open_one
    for store in opened:
        run(store.close())


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
