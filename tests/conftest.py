"""What tests of several rooms need."""

import os
import socket

import pytest
from hypothesis import HealthCheck, settings

# Machines differ in speed, so no example has a deadline. CI draws the same examples each time: what fails
# there fails for a change and not by chance. Elsewhere each run draws others.
settings.register_profile(
    "antiphon",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("antiphon")


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
