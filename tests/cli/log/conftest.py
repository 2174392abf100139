"""Databases with responses, for the commands: a file, and one of PostgreSQL."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import ModelNotFound
from antiphon.service.log.refusals import Refusals
from antiphon.store import Store
from tests.service.log.runs import Runs
from tests.support.postgresql import schema

NewDatabase = Callable[[], str]


@dataclass(frozen=True)
class Filled:
    """A database with two responses and a refused request."""

    path: str
    """The path of the file, or the URL."""
    first: str
    """The ID of the first response, with hosted tools."""
    second: str
    """The ID of the second response, which continues the first one."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NewDatabase]:
    """Yield a function that returns the path or URL of a new database."""
    with ExitStack() as opened:

        def new() -> str:
            if request.param == "sqlite":
                return str(tmp_path_factory.mktemp("log") / "state.db")
            return opened.enter_context(schema(request.getfixturevalue("postgresql")))

        yield new


@pytest.fixture(scope="module")
def filled(new_database: NewDatabase) -> Filled:
    return _filled(new_database())


def _filled(path: str) -> Filled:
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(path))
        runs = Runs(runner, store)
        first = runs.respond(input="When do the ferries \x1b[31mleave?\nSoon?", instructions="Be `kind`.")
        second = runs.respond(input="And the `````trains`````?", previous_response_id=first, tools=None)

        async def refuse() -> None:
            name = "up/n\x1b]0;title\x07"
            error = ModelNotFound(f"The model '{name}' does not exist.", name)
            Refusals(store.log, "full").note("req_1", LOCAL_OWNER, None, error)
            await store.servers.heartbeat()

        runner.run(refuse())
        runner.run(store.close())
    return Filled(path, first, second)


@pytest.fixture(autouse=True)
def database(filled: Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_DATABASE", filled.path)
