"""Every test that takes `store` or `url` runs on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from antiphon.store import Store
from tests.support.postgresql import schema

R = TypeVar("R")


class Run(Protocol):
    """Runs a coroutine on the test's own event loop."""

    def __call__(self, coroutine: Coroutine[object, object, R], /) -> R: ...


class OpenStore(Protocol):
    """Opens one more store on the test's database; it is closed after the test."""

    def __call__(self, *, server_id: str | None = None, clock: Callable[[], float] = ...) -> Store: ...


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: a new file, or a new schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/antiphon.db"
        return
    with schema(request.getfixturevalue("postgresql")) as own:
        yield own


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def open_store(url: str, run: Run) -> Iterator[OpenStore]:
    opened: list[Store] = []

    def open_one(*, server_id: str | None = None, clock: Callable[[], float] = lambda: 1000.0) -> Store:
        opened.append(run(Store.open(url, server_id=server_id, clock=clock)))
        return opened[-1]

    yield open_one
    for store in opened:
        run(store.close())


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
