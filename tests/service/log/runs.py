"""Responses with three model calls and two tool calls, over a store in memory."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from antiphon.decode import bodies
from antiphon.engine.request_context import RequestContext
from antiphon.service.log.entries import Log, LoggedResponse
from antiphon.service.log.fork import Changes, Forks
from antiphon.service.log.sent import SentRequests
from antiphon.service.responses.sealing import Sealing
from antiphon.store import Store
from antiphon.wire.json import JSON
from antiphon.wire.log import SentRequest
from tests.durable.crashing import TOOL, Servers
from tests.service.world import ME

R = TypeVar("R")
SEAL = Sealing("secret")


class Runs:
    """Use cases over a store in memory, with a model that looks twice and then answers."""

    def __init__(self, runner: asyncio.Runner, store: Store) -> None:
        self.store = store
        self.servers = Servers(store)
        self.log = Log(store)
        self._runner = runner

    def run(self, work: Coroutine[object, object, R]) -> R:
        return self._runner.run(work)

    def respond(self, **request: JSON) -> str:
        """Run a response to its end, and return its ID."""
        body = {"model": "up/m", "input": "Hi", "tools": [TOOL], "stream": True} | request

        async def made() -> str:
            decoded = bodies.create_response.decode(msgspec.json.encode(body), 1000)
            context = RequestContext(owner=ME, seal=SEAL)
            async with await self.servers.responses.create(context, decoded) as run:
                async for _ in run.events():
                    pass
                return run.loop.response.id

        return self.run(made())

    def fork(self, response_id: str, **changes: JSON) -> str:
        """Fork a response, run it to its end, and return its ID."""

        async def made() -> str:
            forks = Forks(self.log, self.servers.responses)
            wanted = msgspec.convert(changes, Changes)
            context = RequestContext(owner=ME, seal=SEAL)
            async with await forks.fork(context, response_id, wanted) as run:
                async for _ in run.events():
                    pass
                return run.loop.response.id

        return self.run(made())

    def logged(self, response_id: str) -> LoggedResponse:
        return self.run(self.log.get(ME, response_id))

    def sent(self, response_id: str) -> list[SentRequest]:
        """Return the requests of a response that the log can put together."""
        requests = SentRequests(self.servers.responses, SEAL)
        return [sent for sent in self.run(requests.of(self.logged(response_id))) if sent is not None]


@contextmanager
def opened() -> Iterator[Runs]:
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(":memory:"))
        try:
            yield Runs(runner, store)
        finally:
            runner.run(store.close())
