"""Runs for the tests of the log."""

from collections.abc import Iterator

import pytest

from tests.service.log.runs import Runs, opened


@pytest.fixture
def runs() -> Iterator[Runs]:
    with opened() as found:
        yield found
