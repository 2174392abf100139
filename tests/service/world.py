"""The use cases over a SQLite file and a scripted chat model, for tests in one process."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.ports import ChatModel, Endpoint, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, NotFound
from antiphon.service.conversations import Conversations
from antiphon.service.passthrough.chat import ChatCompletions
from antiphon.service.passthrough.stored import StoredCompletions
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.run import Run
from antiphon.settings.backends import Capabilities
from antiphon.store import Store
from antiphon.store.responses.rows import FinishedResponse
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.lists import PageQuery
from antiphon.wire.models import BackendHealth, ModelList, Provider
from tests.store.samples import count_characters, count_rows
from tests.support.schemas import check_event, check_response

T = TypeVar("T")

ME = "me"


def say(*pieces: str, finish: str | None = "stop", **delta: JSON) -> list[bytes]:
    """Return the chunks of a reply: a text in pieces, then `delta` if it is given, and the end."""
    deltas: list[JSONObject] = [{"content": piece} for piece in pieces]
    chunks: list[JSONObject] = [{"choices": [{"index": 0, "delta": each}]} for each in deltas]
    if delta:
        chunks.append({"choices": [{"index": 0, "delta": delta}]})
    if finish is not None:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [msgspec.json.encode(chunk) for chunk in chunks]


def call_function(call_id: str, name: str = "f", arguments: str = "{}") -> list[bytes]:
    """Return the chunks of a reply with one function call."""
    call = {"index": 0, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return say(finish="tool_calls", tool_calls=[call])


class ScriptedModel:
    """Model that gives the scripted replies in turn and repeats the last, one chunk per network read.

    A reply may be an error. With `hang` set, every reply stops before its last chunk.
    """

    capabilities = Capabilities(think_tags=False)

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []
        self.replies: deque[list[bytes] | Exception] = deque([say("Fine.")])
        self.hang = False
        self.closed = 0
        """How many streams have ended, for any reason."""
        self.called = asyncio.Event()
        """Set by the first call."""

    def script(self, *replies: list[bytes] | Exception) -> None:
        self.replies = deque(replies)

    def _next(self, request: ChatRequest) -> list[bytes]:
        self.requests.append(request)
        self.called.set()
        reply = self.replies[0] if len(self.replies) == 1 else self.replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        try:
            reply = self._next(request)
            for missing, chunk in zip(range(len(reply), 0, -1), reply, strict=True):
                if self.hang and missing == 1:
                    await asyncio.Event().wait()
                yield [chunk]
        finally:
            self.closed += 1

    async def complete(self, request: ChatRequest) -> bytes:
        return self._next(request)[0]


class Catalogue:
    """Catalogue with the single model `up/m`."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        if model_id != "up/m":
            raise NotFound("unknown", code="model_not_found", param="model")
        return ResolvedModel(self._model, "m", "up/m")

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        raise NotImplementedError

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        raise NotImplementedError

    async def embedding_model(self, context: RequestContext) -> str | None:
        return None

    async def providers(self) -> list[Provider]:
        raise NotImplementedError

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        return inner

    async def list_models(self) -> ModelList:
        raise AssertionError("not part of these tests")

    def calls_in_progress(self) -> int:
        return 0

    def notices(self) -> list[str]:
        return []

    async def close(self) -> None:
        pass


class World:
    """Store, services and scripted model of a test; results are as on the wire."""

    def __init__(self, runner: asyncio.Runner, store: Store, path: Path) -> None:
        self.run = runner.run
        self.store = store
        self.model = ScriptedModel()
        catalogue = Catalogue(self.model)
        self.responses = Responses(store, catalogue)
        self.conversations = Conversations(store)
        self.chat = ChatCompletions(catalogue, StoredCompletions(self.store.completions))
        self.opened = AsyncExitStack()
        """Holds the responses that were created; closed with the world."""
        self._ticks = count(1000)
        self._url = f"sqlite:///{path}"

    def _context(self) -> RequestContext:
        return RequestContext(owner=ME, clock=lambda: float(next(self._ticks)))

    async def create(self, **request: JSON) -> Run:
        """Return a response for a block, which can read its events."""
        body = msgspec.json.encode({"model": "up/m", **request})
        return await self.responses.create(self._context(), bodies.create_response.decode(body))

    async def prepare(self, **request: JSON) -> Run:
        """Return a response whose events can be read until the world is closed."""
        return await self.opened.enter_async_context(await self.create(**request))

    def respond(self, text: JSON = None, **request: JSON) -> JSONObject:
        """Run a response to `text`, which may also be a list of items, and return it."""
        given = {} if text is None else {"input": text}

        async def made() -> JSONObject:
            async with await self.create(**given, **request) as run:
                response: JSONObject = wire(await run.response())
            check_response(response)
            return response

        return self.run(made())

    def events(self, **request: JSON) -> list[JSONObject]:
        """Run a response and return its events."""

        async def made() -> list[JSONObject]:
            async with await self.create(**request) as run:
                return [wire(event) async for batch in run.events() for event in batch]

        events = self.run(made())
        for event in events:
            check_event(event)
        return events

    def get(self, response_id: str) -> JSONObject:
        response: JSONObject = wire(self.run(self.responses.get(ME, response_id)))
        check_response(response)
        return response

    def settle(self) -> None:
        """Wait for all pending writes; a later write is committed with them or after them."""
        self.run(self.store.servers.heartbeat())

    def input_items(self, response_id: str) -> list[JSONObject]:
        """Return the input of a response, oldest first."""
        query = PageQuery(limit=100, order="asc")
        page: JSONObject = wire(self.run(self.responses.input_items(ME, response_id, query)))
        items: list[JSONObject] = page["data"]
        return items

    def begin(self, *items: JSON) -> str:
        """Create a conversation and return its id."""
        body = bodies.create_conversation.decode(msgspec.json.encode({"items": items}))
        return self.run(self.conversations.create(self._context(), body)).id

    def add(self, conversation: str, *items: JSON) -> list[JSONObject]:
        """Add items to a conversation."""
        body = bodies.create_items.decode(msgspec.json.encode({"items": items}))
        page: JSONObject = wire(self.run(self.conversations.add_items(self._context(), conversation, body)))
        added: list[JSONObject] = page["data"]
        return added

    def items(self, conversation: str) -> list[JSONObject]:
        """Return the items of a conversation, oldest first."""
        query = PageQuery(limit=100, order="asc")
        page: JSONObject = wire(self.run(self.conversations.list_items(ME, conversation, query)))
        items: list[JSONObject] = page["data"]
        return items

    def seen(self) -> list[JSON]:
        """Return the content of each message in the last model call."""
        return [message.get("content") for message in self.model.requests[-1]["messages"]]

    def rows(self, table: str = "items") -> int:
        return count_rows(self._url)[table]

    def all_rows(self) -> dict[str, int]:
        return count_rows(self._url)

    def characters(self) -> int:
        """Return the number of stored characters."""
        return count_characters(self._url)


def wire(value: object) -> JSON:
    """Return a wire type as JSON."""
    return msgspec.json.decode(msgspec.json.encode(value))


def user(text: str, **more: JSON) -> JSONObject:
    return {"type": "message", "role": "user", "content": text} | more


def text_of(response: JSONObject) -> str:
    """Return the text of a response's last item."""
    text: str = response["output"][-1]["content"][0]["text"]
    return text


def hold_ends(store: Store, patch: pytest.MonkeyPatch, release: asyncio.Event) -> None:
    """Make the store commit the ends of responses, but report the commits only after `release` is set."""
    finish = store.pending.finish

    def slow(owner: str, finished: FinishedResponse) -> asyncio.Future[None]:
        committed = finish(owner, finished)

        async def held() -> None:
            await release.wait()
            await committed

        return asyncio.ensure_future(held())

    patch.setattr(store.pending, "finish", slow)


def fail_ends(store: Store, patch: pytest.MonkeyPatch, error: AntiphonError) -> None:
    """Make the store fail to commit the end of every response."""

    def failing(owner: str, finished: FinishedResponse) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(error)
        return future

    patch.setattr(store.pending, "finish", failing)
