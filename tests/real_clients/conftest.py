"""A server over a scripted backend `up` with the model `m`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[Serving]:
    """Yield the server; at the end of the test every answer is validated."""
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        yield server
