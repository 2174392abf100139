"""Settings and fixtures for all tests."""

import asyncio
import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn.server
from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp

from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState
from antiphon.serving import serve
from tests.support.certificates import self_signed
from tests.support.postgresql import postgresql_server
from tests.support.serving import Validated
from tests.support.shared import Access, is_there
from tests.support.tables import create_tables

# Machines differ in speed, so no example has a deadline. CI uses the same examples each time, so that only a
# change can make a test fail. Elsewhere, each run uses other examples.
settings.register_profile(
    "antiphon",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("antiphon")


def pytest_report_header() -> str | None:
    """Say which checks a run without `../shared` omits."""
    if is_there():
        return None
    return "Without ../shared, answers are not compared with OpenAI's description."


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let only the tests with the marker `shared` read `../shared`."""
    Access.is_allowed = item.get_closest_marker("shared") is not None


def pytest_collection_finish() -> None:
    """Freeze the modules and tests, so that garbage collections during the tests don't visit them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def prompt_stops() -> Iterator[None]:
    """Make uvicorn check every 10 ms whether it should stop, not every 100 ms: tests stop many servers."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(uvicorn.server, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Replace the certificate authorities of the system, which take 30 ms to load for each client."""
    path = self_signed(tmp_path_factory.mktemp("authority") / "authority.pem", "authority.test")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        yield


@pytest.fixture(autouse=True)
def validated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check every answer of servers that run inside the tests, whichever way they were started."""
    answers = Validated(proxied=False)

    def create_validated(state: ServerState) -> ASGIApp:
        return answers.around(create_app(state))

    monkeypatch.setattr(serve, "create_app", create_validated)
    yield
    answers.check()


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that looks up a host, connects, listens or sends."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was used")

    for name in ("connect", "connect_ex", "bind", "listen", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(AssertionError, match="a socket was used"):
        socket.create_connection(("127.0.0.1", 9))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Yield the URL of a PostgreSQL server, which starts for the first test that needs it."""
    with postgresql_server() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an SQLite file with all tables and without rows, for tests to copy."""
    path = tmp_path_factory.mktemp("template") / "state.db"
    create_tables(str(path))
    return path
