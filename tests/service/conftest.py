"""The world of the tests in this room."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from antiphon.store import Store
from tests.service.world import World

OpenWorld = Callable[[type[Store]], World]


@pytest.fixture
def open_world(tmp_path: Path) -> Iterator[OpenWorld]:
    """Opens a world over a kind of store; it is closed after the test."""
    opened: list[Store] = []
    path = tmp_path / "state.db"
    with asyncio.Runner() as runner:

        def open_one(kind: type[Store]) -> World:
            store = runner.run(kind.open(str(path)))
            opened.append(store)
            return World(runner, store, path)

        yield open_one
        for store in opened:
            runner.run(store.close())


@pytest.fixture
def world(open_world: OpenWorld) -> World:
    return open_world(Store)
