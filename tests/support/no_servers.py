"""A pytest plugin for `make test-fast`: no test listens, connects, or starts another program.

pytest -p tests.support.no_servers tests/engine
"""

import sys
from collections.abc import Generator

import pytest

_REFUSED = {
    "socket.bind": "binds a socket",
    "socket.connect": "connects a socket",
    "subprocess.Popen": "starts a program",
}
"""Python's own audit events; https://docs.python.org/3/library/audit_events.html lists them."""
_PDF_READER = "antiphon.documents.pdf"
"""A process that reads a PDF file and serves nothing."""
_running: list[str] = []
"""The test that is running, if any: pytest-xdist itself connects to its workers."""


def pytest_configure() -> None:
    """Watch this process from now on; an audit hook can't be removed."""
    sys.addaudithook(_refuse)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Refuse sockets and programs while a test and its fixtures run."""
    _running.append(item.nodeid)
    try:
        return (yield)
    finally:
        _running.pop()


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _REFUSED and _running and _PDF_READER not in str(arguments):
        raise AssertionError(f"{_running[-1]} {_REFUSED[event]}; `make test-fast` runs tests without servers")
