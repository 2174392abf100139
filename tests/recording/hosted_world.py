"""Recording with hosted tools, and replay without their services."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from antiphon.testing import LocalServer, serve
from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.mcp_servers.running import Servers, servers
from tests.recording.case_world import recording
from tests.support.upstream import Answer, Upstream, reply
from tests.tools.web_search.searching import RESULT, place

SECRET = "The code word is BLUE_FALCON."
BOIL = {"liquid_name": "myawesomeliquid"}
ANSWER = f"It boils at -100, says [a page]({RESULT['url']}) with BLUE_FALCON."
RUN = (
    calls(
        ("call_1", "get_boiling_point", BOIL),
        ("call_2", "web_search", {"query": "the page"}),
        ("call_3", "file_search", {"query": "code word"}),
    ),
    says(ANSWER),
)
KINDS = ["mcp_list_tools", "mcp_call", "web_search_call", "file_search_call", "message"]
"""The items of a response in which the model replies with `RUN`."""


@contextmanager
def with_tools(directory: Path, *answers: Answer, **settings: JSON) -> Iterator[tuple[LocalServer, Servers]]:
    """Record with MCP servers and a SearXNG, which run until the block ends."""
    settings |= {"allow_hosts": ["127.0.0.1"], "discover": False}
    with Upstream() as service, servers(directory.parent) as running, pytest.MonkeyPatch.context() as patch:
        service.script(reply({"results": [RESULT]}))
        patch.setenv("SEARXNG_URL", place(service))
        with recording(directory, *answers, **settings) as (server, _):
            yield server, running


@contextmanager
def alone(directory: Path, **settings: JSON) -> Iterator[LocalServer]:
    """Replay; any look-up or connection other than to the server itself fails the test."""
    connect, called = socket.socket.connect, set()

    def watched(self: socket.socket, address: tuple[str, int]) -> None:
        called.add(address)
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", watched)
        patch.setattr(socket.socket, "connect_ex", None)
        patch.setattr(asyncio.BaseEventLoop, "getaddrinfo", None)
        with serve(directory, discover=False, **settings) as server:
            own = urlsplit(server.url)
            yield server
    assert called == {(own.hostname, own.port)}
