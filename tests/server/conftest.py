"""One server and one scripted backend for the tests of a module; each test begins with a clean slate."""

from collections.abc import Iterator

import pytest

from tests.server.client import get
from tests.serving import Serving, backend, backends
from tests.upstream import Upstream


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[Serving]:
    database = tmp_path_factory.mktemp("server") / "state.db"
    with Serving(database, backends(backend(shared_upstream))) as server:
        # The list of models is asked for once; from here on the backend sees what a test causes.
        assert get(server.url, "/models").status == 200
        yield server


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
