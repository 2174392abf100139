"""Connections at the end of the server."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from antiphon.server.http.connection import HttpConnection
from antiphon.server.http.exchange import CLIENT, Client, StoppedByDisconnect
from tests.server.http.test_connection import OK, REQUEST, echo, turned
from tests.server.wires import TurnedLoop, Wire, connected, settled

CLOSING = OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + b"{}"


def test_at_the_end_of_the_server_answers_become_whole() -> None:
    async def scenario() -> list[bytes]:
        connection, wire = connected(echo)
        connection.data_received(REQUEST[:-1])
        await settled()
        connection.shutdown()
        assert not wire.is_closed
        connection.data_received(REQUEST[-1:])
        await settled()
        assert wire.is_closed
        return wire.seen

    assert asyncio.run(scenario()) == [CLOSING]


@pytest.mark.parametrize("before", [b"", REQUEST], ids=["unused", "used"])
def test_at_the_end_of_the_server_a_request_on_its_way_is_answered(before: bytes) -> None:
    seen: list[bytes] = []

    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.data_received(before)
        await settled()
        connection.shutdown()
        loop.turn(0.1)
        await settled()
        wire.seen.clear()
        connection.data_received(REQUEST)
        await settled()
        seen.extend(wire.seen)
        return [wire.is_closed]

    assert turned(scenario) == [True]
    assert seen == [CLOSING]


def test_at_the_end_of_the_server_idle_connections_are_closed_soon() -> None:
    async def scenario(loop: TurnedLoop, connection: HttpConnection, wire: Wire) -> list[bool]:
        connection.shutdown()
        seen = []
        for seconds in (0.1, 0.2):
            loop.turn(seconds)
            await settled()
            seen.append(wire.is_closed)
        return seen

    assert turned(scenario) == [False, True]


def test_at_the_end_of_the_server_a_response_that_only_watches_ends_at_once() -> None:
    ended: list[str] = []

    async def watch(scope: Scope, receive: Receive, send: Send) -> None:
        client: Client = scope[CLIENT]
        client.only_watches = scope["path"] == "/watch"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        with StoppedByDisconnect(scope):
            await asyncio.Event().wait()
        ended.append(scope["path"])

    async def scenario() -> list[bool]:
        seen = []
        for path in (b"/watch", b"/response"):
            connection, wire = connected(watch)
            connection.data_received(b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path)
            await settled()
            connection.shutdown()
            await settled()
            seen.append(wire.is_closed)
            connection.connection_lost(None)
            await settled()
        return seen

    assert asyncio.run(scenario()) == [True, False]
    assert ended == ["/watch", "/response"]
