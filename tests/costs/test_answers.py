"""Cost of a whole JSON answer in the event loop's thread, from request to answer: calls and instructions.

The backend answers in its own thread. Neither its calls nor the database's are counted.
"""

import asyncio
from pathlib import Path

import msgspec
import pytest
import uvloop
from starlette.types import ASGIApp, Message, Scope

from antiphon.serving.serve import opened
from antiphon.settings.backends import PRESETS, BackendSettings
from antiphon.settings.schema import Settings
from tests.costs.counting import Cost, counted, limit
from tests.support.upstream import Upstream, reply

TIMES = 50


class Client:
    """Client of an application, which must answer with 200."""

    def __init__(self, app: ASGIApp, *, store: bool) -> None:
        self._app = app
        self._body = msgspec.json.encode({"model": "up/m", "input": "Go.", "store": store})
        self._gone = asyncio.Event()

    async def ask(self) -> None:
        """Send one request and wait for the whole answer."""
        waiting: list[Message] = [{"type": "http.request", "body": self._body, "more_body": False}]
        statuses: list[int] = []

        async def receive() -> Message:
            if not waiting:
                await self._gone.wait()
            return waiting.pop()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._app(self._scope(), receive, send)
        assert statuses == [200]

    def _scope(self) -> Scope:
        headers = {
            b"host": b"127.0.0.1",
            b"content-type": b"application/json",
            b"content-length": b"%d" % len(self._body),
        }
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": "POST",
            "path": "/v1/responses",
            "raw_path": b"/v1/responses",
            "root_path": "",
            "query_string": b"",
            "headers": list(headers.items()),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }


async def cost_of(client: Client) -> Cost:
    """Return the cost of `TIMES` answers."""
    await client.ask()  # The first request also creates objects that later requests share.
    with counted() as cost:
        for _ in range(TIMES):
            await client.ask()
    return cost


@pytest.mark.parametrize(("store", "calls", "instructions"), [(False, 428, 6095), (True, 597, 7840)])
def test_a_json_answer(tmp_path: Path, store: bool, calls: int, instructions: int) -> None:
    async def run(upstream: Upstream) -> Cost:
        backend = BackendSettings(name="up", base_url=upstream.base_url, capabilities=PRESETS["openai"])
        settings = Settings(database=str(tmp_path / "a.db"), discover=False, models={"up": backend})
        async with opened(settings, ("127.0.0.1", 8080)) as (app, _, _):
            return await cost_of(Client(app, store=store))

    with Upstream() as upstream:
        upstream.script(reply())
        cost = uvloop.run(run(upstream))
        assert len(upstream.chats) == TIMES + 1
        assert cost.calls / TIMES < limit(calls)
        assert cost.instructions / TIMES < limit(instructions)
