"""A server over a scripted backend, and clients of OpenAI's SDK that call it over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI

from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[Serving]:
    """Start one server for the tests of a module; every answer is validated at their end."""
    database: Path = tmp_path_factory.mktemp("server") / "state.db"
    with Serving(database, backends(backend(shared_upstream))) as server:
        yield server


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """Return the backend `up`; its model `m` answers as the test scripts it."""
    shared_upstream.forget()
    return shared_upstream


@pytest.fixture
def server(shared_server: Serving, upstream: Upstream) -> Serving:
    """Return the server in front of `upstream`."""
    return shared_server


@pytest.fixture
def client(server: Serving) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
        yield client
