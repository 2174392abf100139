"""A database with responses, for the commands."""

import asyncio
from dataclasses import dataclass

import pytest

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import ModelNotFound
from antiphon.service.log.refusals import Refusals
from antiphon.store import Store
from tests.service.log.runs import Runs


@dataclass(frozen=True)
class Filled:
    """A database with two responses and a refused request."""

    path: str
    """The path of the file."""
    first: str
    """The ID of the first response, with hosted tools."""
    second: str
    """The ID of the second response, which continues the first one."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    path = str(tmp_path_factory.mktemp("log") / "state.db")
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
