"""A server and a scripted backend for the tests of a module, without traces of earlier tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.client import get, post
from tests.support.postgresql import schema
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path | str]:
    """Yield the database of the server: a file, or for tests marked with `ON_BOTH` also a schema."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield tmp_path_factory.mktemp("server") / "state.db"
        return
    with schema(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield a database of its own for each test: a file, then a schema."""
    if request.param == "sqlite":
        yield str(tmp_path / "state.db")
        return
    with schema(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture(scope="module")
def shared_server(database: Path | str, shared_upstream: Upstream) -> Iterator[Serving]:
    with Serving(database, backends(backend(shared_upstream)), max_body_bytes=1_000_000) as server:
        # The server lists the models once; after that, the backend sees only the requests of a test.
        assert get(server.url, "/models").status == 200
        yield server


@pytest.fixture(scope="module")
def conversation(shared_server: Serving) -> str:
    """Create a conversation and return its id."""
    created: str = post(shared_server.url, "/conversations", {}).json["id"]
    return created


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """Return the backend `up` with the model `m`, without earlier requests."""
    shared_upstream.requests.clear()
    shared_upstream.hanging.clear()
    shared_upstream.disconnected.clear()
    return shared_upstream


@pytest.fixture
def server(shared_server: Serving, upstream: Upstream) -> Serving:
    """Return the server in front of `upstream`."""
    return shared_server


@pytest.fixture
def url(server: Serving) -> str:
    """Return the base URL of the server."""
    return server.url
