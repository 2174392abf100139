"""A server over a scripted backend, and the SDK's clients that speak with it over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.serving import Serving, backend, backends
from tests.upstream import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """The backend `up`; its model `m` says what the test scripts."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[Serving]:
    """The server; at the end every answer is validated against OpenAI's description."""
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        yield server


@pytest.fixture
def client(server: Serving) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        yield client
