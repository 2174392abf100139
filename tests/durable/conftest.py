"""Stores on SQLite and on PostgreSQL, as in the tests of the store."""

from collections.abc import Iterator

import pytest

from antiphon.store import Store
from tests.store.conftest import Run, open_store, postgresql_tables, run, url

__all__ = ["open_store", "postgresql_tables", "run", "url"]


@pytest.fixture
def store(url: str, run: Run) -> Iterator[Store]:
    opened = run(Store.open(url, clock=lambda: 1000.0))
    yield opened
    run(opened.close())
