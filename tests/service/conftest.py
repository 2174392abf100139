"""The services over a SQLite file, for all tests of this folder."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest

from antiphon.store import Store
from tests.service.world import World


@pytest.fixture
def world(tmp_path: Path, sqlite_template: Path) -> Iterator[World]:
    """Yield a world, which is closed after the test."""
    path = tmp_path / "state.db"
    copy(sqlite_template, path)
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(str(path)))
        world = World(runner, store, path)
        yield world
        runner.run(world.opened.aclose())
        runner.run(store.close())
