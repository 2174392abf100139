"""Cost of a request and its answer between the network and the application: calls and instructions."""

import asyncio

import uvloop
from starlette.types import Receive, Scope, Send

from tests.costs.counting import Cost, counted, limit
from tests.server.wires import connected, settled

TIMES = 50
_TURNS = 3
"""Turns of the event loop: the application runs, the answer leaves."""
REQUEST = (
    b"POST /v1/responses HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and send the whole answer at once."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2"), (b"x-request-id", b"req_1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


async def cost_of_exchanges() -> Cost:
    """Return the cost of `TIMES` exchanges over one connection."""
    connection, wire = connected(answer)
    connection.data_received(REQUEST)
    await settled()
    with counted() as cost:
        for _ in range(TIMES):
            connection.data_received(REQUEST)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
    assert len(wire.seen) == TIMES + 1
    return cost


def test_a_request_and_its_answer() -> None:
    cost = uvloop.run(cost_of_exchanges())
    assert cost.calls / TIMES < limit(93.1)
    assert cost.instructions / TIMES < limit(1340)
