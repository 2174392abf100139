"""What tests of several rooms need."""

import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp

from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState
from antiphon.serving import serve
from tests.support.postgresql import postgresql_server
from tests.support.serving import Validated

# Machines differ in speed, so no example has a deadline. CI draws the same examples each time: what fails
# there fails for a change and not by chance. Elsewhere each run draws others.
settings.register_profile(
    "antiphon",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("antiphon")


@pytest.fixture(autouse=True)
def validated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Checks whatever a server that runs inside the tests answers, by whichever way it was started."""
    answers = Validated(proxied=False)

    def create_validated(state: ServerState) -> ASGIApp:
        return answers.around(create_app(state))

    monkeypatch.setattr(serve, "create_app", create_validated)
    yield
    answers.check()


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that looks up a host, connects, listens or sends."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was used")

    for name in ("connect", "connect_ex", "bind", "listen", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(AssertionError, match="a socket was used"):
        socket.create_connection(("127.0.0.1", 9))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL; started when the first test asks for it."""
    with postgresql_server() as url:
        yield url
