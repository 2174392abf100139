"""One server and one scripted backend for the tests of a module; each test begins with a clean slate."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.client import get, post
from tests.serving import Serving, backend, backends
from tests.upstream import Upstream


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that holds the server's state."""
    return tmp_path_factory.mktemp("server") / "state.db"


@pytest.fixture(scope="module")
def shared_server(database: Path, shared_upstream: Upstream) -> Iterator[Serving]:
    with Serving(database, backends(backend(shared_upstream)), max_body_bytes=1_000_000) as server:
        # The list of models is asked for once; from here on the backend sees what a test causes.
        assert get(server.url, "/models").status == 200
        yield server


@pytest.fixture(scope="module")
def conversation(shared_server: Serving) -> str:
    """The id of a conversation."""
    created: str = post(shared_server.url, "/conversations", {}).json["id"]
    return created


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """The backend `up`, which has the model `m`; it has forgotten what it was asked before."""
    shared_upstream.requests.clear()
    shared_upstream.hanging.clear()
    shared_upstream.disconnected.clear()
    return shared_upstream


@pytest.fixture
def server(shared_server: Serving, upstream: Upstream) -> Serving:
    """The server in front of `upstream`."""
    return shared_server


@pytest.fixture
def url(server: Serving) -> str:
    """Its base URL."""
    return server.url
